import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createGenerations, generationAfter } from "../../src/dataplane/generations.ts";

describe("generations of endpoint indexes", () => {
  it("are kept however many indexes there are, and begin alike", () => {
    const generations = createGenerations(41);
    generations.set(3, 7);
    generations.set(5000, 8);
    assert.deepEqual([3, 5000, 4, 9999].map(generations.of), [7, 8, 41, 41]);
  });

  it("are never 0, and go round after 2^31 - 1", () => {
    assert.deepEqual([0, 1, 0x7fff_fffe, 0x7fff_ffff].map(generationAfter), [1, 2, 0x7fff_ffff, 1]);
  });

  it("go on within 31 bits where the kernel holds one of 32", () => {
    assert.deepEqual([0x8000_0000, 0xffff_fffe, 0xffff_ffff].map(generationAfter), [1, 0x7fff_ffff, 1]);
  });
});
