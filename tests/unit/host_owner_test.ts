import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { isLeftover, ownedName, ownerTag, spawn } from "../../src/host/mod.ts";

describe("isLeftover", () => {
  it("a name of a running process is not", () => {
    assert.equal(isLeftover(ownedName("weft-test", "x"), "weft-test"), false);
  });

  it("a name of a process that has ended is", async () => {
    let name: string;
    {
      await using child = spawn(["cat"]);
      name = `weft-test-${ownerTag(child.pid)}-x`;
      assert.equal(isLeftover(name, "weft-test"), false);
    }
    assert.equal(isLeftover(name, "weft-test"), true);
    assert.equal(isLeftover(name, "weft"), false);
    assert.equal(isLeftover(name, "other"), false);
  });

  it("a name of an earlier process with the pid of a running one is", () => {
    assert.equal(isLeftover(`weft-test-${Deno.pid}_0-x`, "weft-test"), true);
  });

  it("names that others gave are never touched", () => {
    for (const name of ["weft-test", "weft-test-", "weft-test-blue", "weft-test-1_x", "weft-test-0x1_5-x"]) {
      assert.equal(isLeftover(name, "weft-test"), false, name);
    }
  });
});
