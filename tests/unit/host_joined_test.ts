import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createSlices, joined } from "../../src/host/mod.ts";

describe("text in pieces", () => {
  /** A clock that each item moves on, and what was done meanwhile. */
  function clock(msPerItem: number) {
    let now = 0;
    const log: string[] = [];
    return {
      log,
      slices: createSlices(10, () => Promise.resolve(log.push("rest")), () => now),
      textOf: (item: number) => {
        now += msPerItem;
        log.push(`${item}`);
        return `${item}`;
      },
    };
  }

  it("has commas between the items, however many there are", async () => {
    for (const count of [0, 1, 2, 50_000]) {
      const items = Array.from({ length: count }, (_, i) => i);
      const { slices, textOf } = clock(0);
      const pieces = await Array.fromAsync(joined(items, textOf, slices));
      assert.deepEqual(JSON.parse(`[${pieces.join("")}]`), items);
      assert.equal(pieces.length > 1, count > 2);
    }
  });

  it("has nothing of what is still being made", async () => {
    const { slices, textOf } = clock(0);
    const items = [undefined, 1, undefined, undefined, 2, undefined];
    assert.deepEqual(await Array.fromAsync(joined(items, textOf, slices)), ["1,2"]);
  });

  it("rests between items, also where they are short and take long", async () => {
    const { log, slices, textOf } = clock(6);
    await Array.fromAsync(joined([1, 2, 3, 4, 5], textOf, slices));
    assert.deepEqual(log, ["1", "2", "rest", "3", "4", "rest", "5"]);
  });

  it("makes items when they are asked for: the next ones after a rest", async () => {
    const { log, slices, textOf } = clock(10);
    await Array.fromAsync(
      joined([1, 2].values().map((item) => (log.push(`make ${item}`), item)), textOf, slices),
    );
    assert.deepEqual(log, ["make 1", "1", "rest", "make 2", "2", "rest"]);
  });
});
