import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createMinHeap } from "../../src/records/min_heap.ts";
import { randomFrom } from "./_random.ts";

describe("a min heap", () => {
  it("gives the smallest, whatever was put in and taken out before", () => {
    const random = randomFrom(1);
    for (let run = 0; run < 200; run++) {
      const heap = createMinHeap();
      const model: number[] = [];
      for (let step = 0; step < 200; step++) {
        if (random() < 0.55) {
          const value = Math.floor(random() * 40);
          heap.push(value);
          model.push(value);
          model.sort((a, b) => a - b);
        } else {
          assert.equal(heap.pop(), model.shift());
        }
        assert.equal(heap.size, model.length);
      }
      while (model.length > 0) assert.equal(heap.pop(), model.shift());
      assert.equal(heap.pop(), undefined);
    }
  });
});
