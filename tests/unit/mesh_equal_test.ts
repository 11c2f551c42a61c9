import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { sameContents } from "../../src/mesh/_equal.ts";

const cases: { a: unknown; b: unknown; same: boolean }[] = [
  { a: 1, b: 1, same: true },
  { a: 1, b: "1", same: false },
  { a: null, b: null, same: true },
  { a: null, b: {}, same: false },
  { a: { x: 1, y: [] }, b: { y: [], x: 1 }, same: true },
  { a: { x: 1 }, b: { x: 1, y: 1 }, same: false },
  { a: { x: 1, y: 1 }, b: { x: 1 }, same: false },
  { a: { x: undefined }, b: { y: undefined }, same: false },
  { a: [1, 2], b: [1, 2], same: true },
  { a: [1, 2], b: [2, 1], same: false },
  { a: [1], b: [1, 2], same: false },
  { a: [], b: {}, same: false },
  { a: {}, b: [], same: false },
  { a: new Map([[1, { x: 1 }], [2, { x: 2 }]]), b: new Map([[2, { x: 2 }], [1, { x: 1 }]]), same: true },
  { a: new Map([[1, 1]]), b: new Map([[1, 2]]), same: false },
  { a: new Map([[1, 1]]), b: new Map([[2, 1]]), same: false },
  { a: new Map([[1, 1]]), b: new Map([[1, 1], [2, 2]]), same: false },
  { a: new Map(), b: {}, same: false },
  { a: {}, b: new Map(), same: false },
];

describe("sameContents", () => {
  for (const { a, b, same } of cases) {
    it(`${Deno.inspect(a)} and ${Deno.inspect(b)}: ${same ? "the same" : "different"}`, () => {
      assert.equal(sameContents(a, b), same);
    });
  }
});
