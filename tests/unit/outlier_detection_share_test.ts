import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { lastTier, mostAside } from "../../src/outlier_detection/mod.ts";
import { type TestTier, wholePort } from "./_whole_port.ts";

describe("the last tier that connections can come to", () => {
  const never = { weights: { z: 0 } };
  const mixed = { weights: { a: 1, z: 0 } };
  const cases: { what: string; tiers: (TestTier | string[])[]; last: number }[] = [
    { what: "no tier", tiers: [], last: -1 },
    { what: "one", tiers: [["a"]], last: 0 },
    { what: "three", tiers: [["a"], ["b"], ["c"]], last: 2 },
    { what: "nobody of the nearest may be chosen: it refuses", tiers: [never, ["b"]], last: -1 },
    { what: "nobody of the second may be chosen: it refuses", tiers: [["a"], never, ["c"]], last: 0 },
    { what: "somebody of the second may never be chosen", tiers: [["a"], mixed, ["c"]], last: 1 },
    { what: "somebody of the nearest may never be chosen", tiers: [mixed, ["c"]], last: 0 },
    { what: "somebody has no port", tiers: [{ weights: { a: 1 }, portless: 1 }, ["c"]], last: 0 },
    { what: "nobody of the second has a port", tiers: [["a"], { weights: {}, portless: 2 }, ["c"]], last: 0 },
  ];
  for (const { what, tiers, last } of cases) {
    it(`${what}: ${last}`, () => assert.equal(lastTier(wholePort(tiers).tiers), last));
  }
});

describe("how many of it may be set aside", () => {
  const cases: [endpoints: number, percent: number, most: number][] = [
    ...[[0, 50, 0], [1, 50, 0], [2, 50, 1], [3, 50, 1], [4, 50, 2], [10, 50, 5], [11, 50, 5]],
    ...[[1, 100, 0], [2, 100, 1], [10, 100, 9]],
    ...[[10, 1, 1], [2, 1, 1], [1, 1, 0], [200, 1, 2]],
    ...[[10, 0, 0], [1, 0, 0]],
    ...[[3, 34, 1], [3, 67, 2], [100, 99, 99]],
  ] as [number, number, number][];
  for (const [endpoints, percent, most] of cases) {
    it(`${percent}% of ${endpoints}: ${most}`, () => assert.equal(mostAside(endpoints, percent), most));
  }
});
