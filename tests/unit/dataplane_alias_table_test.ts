import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type AliasTable, buildAliasTable } from "../../src/dataplane/alias_table.ts";
import { randomFrom } from "./_random.ts";

const most = 4294967295;

/** How many of the n × 2^32 equally likely (row, number) pairs mean each item: its exact probability × n × 2^32. */
function pairsOf({ threshold, alias }: AliasTable): bigint[] {
  const pairs = Array.from(threshold, (own) => BigInt(own));
  alias.forEach((item, row) => pairs[item] += 2n ** 32n - BigInt(threshold[row]));
  return pairs;
}

/** Asserts what the documentation promises, in exact arithmetic. */
function assertExact(weights: readonly number[]): void {
  const pairs = pairsOf(buildAliasTable(weights));
  const all = BigInt(weights.length) * 2n ** 32n;
  const total = weights.reduce((sum, weight) => sum + BigInt(weight), 0n);
  assert.equal(pairs.reduce((sum, count) => sum + count, 0n), all);
  weights.forEach((weight, item) => {
    if (weight === 0) assert.equal(pairs[item], 0n, `item ${item} has weight 0`);
    else assert.ok(pairs[item] > 0n, `item ${item} of weight ${weight} is never picked`);
    // |pairs/all − weight/total| < 2^-32, multiplied out.
    const off = pairs[item] * total - BigInt(weight) * all;
    assert.ok(
      (off < 0n ? -off : off) * 2n ** 32n < all * total,
      `item ${item} of ${weights.length}: ${weight}`,
    );
  });
}

const cases: { why: string; weights: number[] }[] = [
  { why: "one item", weights: [1] },
  { why: "one item of the greatest weight", weights: [most] },
  { why: "equal weights", weights: [7, 7, 7, 7, 7] },
  { why: "two that differ", weights: [1, 3] },
  { why: "thirds, which 32 bits cannot write", weights: [1, 1, 4] },
  { why: "zeros at the ends", weights: [0, 5, 0] },
  { why: "zeros only but one", weights: [0, 0, 0, 1, 0] },
  { why: "zeros beside the greatest weight", weights: [0, most, 0, most] },
  { why: "the least beside the greatest", weights: [1, most] },
  { why: "the greatest beside the least", weights: [most, 1] },
  { why: "the least among many of the greatest", weights: [1, ...Array<number>(999).fill(most)] },
  { why: "the greatest among many of the least", weights: [most, ...Array<number>(999).fill(1)] },
  {
    why: "nearly equal ones, whose rows are almost full",
    weights: [most, most - 1, most, most - 1, most - 2],
  },
];

describe("buildAliasTable", () => {
  for (const { why, weights } of cases) {
    it(`gives every item its share: ${why}`, () => assertExact(weights));
  }

  it("gives every item its share, whatever the weights", () => {
    const random = randomFrom(1);
    const kinds: (() => number)[] = [
      () => Math.floor(random() * 4),
      () => Math.floor(random() * 100),
      () => Math.floor(random() * 2 ** 32),
      () => Math.floor(2 ** (random() * 32)),
      () => random() < 0.5 ? 1 : most,
      () => random() < 0.9 ? 0 : Math.floor(random() * 2 ** 32),
    ];
    for (let round = 0; round < 1200; round++) {
      const length = 1 + Math.floor(random() * 60);
      const weights = Array.from({ length }, kinds[round % kinds.length]);
      if (weights.some((weight) => weight > 0)) assertExact(weights);
    }
  });

  it("gives every item its share in a large table", () => {
    const random = randomFrom(2);
    assertExact(Array.from({ length: 100_000 }, () => Math.floor(2 ** (random() * 32))));
  });

  it("is exact where 32 bits can write the shares", () => {
    assert.deepEqual(pairsOf(buildAliasTable([1, 3])), [2n ** 31n, 3n * 2n ** 31n]);
    assert.deepEqual(pairsOf(buildAliasTable([1, most])), [2n, 2n ** 33n - 2n]);
  });

  it("points a row that always means itself at itself", () => {
    for (const weights of [[9], [2, 2, 2], [0, 4, 0, 4]]) {
      const { threshold, alias } = buildAliasTable(weights);
      alias.forEach((item, row) => {
        if (item === row) assert.equal(threshold[row], most);
        else assert.equal(threshold[row], 0);
        assert.ok(weights[item] > 0, "no row points at an item of weight 0");
      });
    }
  });

  it("refuses weights of which none can be picked, and what is no weight", () => {
    for (const weights of [[], [0], [0, 0, 0]]) {
      assert.throws(() => buildAliasTable(weights), {
        name: "RangeError",
        message: /needs a weight above 0/,
      });
    }
    for (const weight of [-1, 0.5, most + 1, NaN, Infinity]) {
      assert.throws(() => buildAliasTable([1, weight]), {
        name: "RangeError",
        message: `weight ${weight} of item 1 is not an integer from 0 to 4294967295`,
      });
    }
    assert.throws(() => buildAliasTable(Array<number>(2 ** 21 + 1).fill(1)), /at most 2097152 weights/);
  });
});
