import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { ArrayOfMaps, closeFd, createMap, mapInfo, openShim } from "../../ffi/mod.ts";
import { describeKernel } from "../kit/mod.ts";

const arrayMap = 2;
const arrayOfMaps = 12;

describeKernel("slots that are read in batches", () => {
  it("are found with empty ones between them, in front of them and behind them", async () => {
    using shim = openShim();
    const shape = { keySize: 4, valueSize: 8, maxEntries: 1 };
    const inner = createMap(shim, { type: arrayMap, name: "inner", ...shape });
    try {
      const id = mapInfo(shim, inner).id;
      const fd = createMap(shim, {
        type: arrayOfMaps,
        name: "outer",
        keySize: 4,
        valueSize: 4,
        maxEntries: 64,
        innerFd: inner,
      });
      using outer = new ArrayOfMaps(shim, fd, "outer");
      const slots = [2, 3, 7, 8, 9, 12, 40];
      await outer.publish(slots.map((slot) => ({ slot, fd: inner })), 1);
      assert.deepEqual(outer.lookupMany(slots), slots.map(() => id));
      // What somebody else took away, and slots that nobody asked about.
      assert.deepEqual(outer.lookupMany([0, 3, 4, 5, 6, 7, 63]), [0, id, 0, 0, 0, id, 0]);
      assert.deepEqual(outer.lookupMany([]), []);
    } finally {
      closeFd(shim, inner);
    }
  });
});
