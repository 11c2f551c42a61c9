import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { assertSpread, chiSquaredTail } from "../kit/statistics.ts";

describe("chiSquaredTail", () => {
  // From tables of the distribution's quantiles.
  const cases = [
    [3.841459, 1, 0.05],
    [6.634897, 1, 0.01],
    [10.827566, 1, 0.001],
    [5.991465, 2, 0.05],
    [11.070498, 5, 0.05],
    [20.515006, 5, 0.001],
    [124.342113, 100, 0.05],
    [77.929465, 100, 0.95],
  ];
  for (const [value, degrees, tail] of cases) {
    it(`is ${tail} at ${value} with ${degrees} degrees of freedom`, () =>
      assert.ok(Math.abs(chiSquaredTail(value, degrees) - tail) < 1e-6, `${chiSquaredTail(value, degrees)}`));
  }

  it("is exp(-x/2) with two degrees of freedom, far out too", () => {
    for (const x of [0.1, 2, 10, 60]) {
      assert.ok(Math.abs(chiSquaredTail(x, 2) / Math.exp(-x / 2) - 1) < 1e-9, `${x}`);
    }
  });
});

describe("assertSpread", () => {
  it("accepts what chance does", () => assertSpread({ a: 5050, b: 4950 }, { a: 1, b: 1 }));

  it("accepts weights that differ", () => assertSpread({ a: 2980, b: 7020 }, { a: 3, b: 7 }));

  it("refuses what chance does not", () => {
    assert.throws(
      () => assertSpread({ a: 5400, b: 4600 }, { a: 1, b: 1 }),
      /not spread by weight.*a 5400 of 5000/,
    );
  });

  it("refuses one that never came", () => {
    assert.throws(() => assertSpread({ a: 5000, b: 5000 }, { a: 1, b: 1, c: 1 }), /c 0 of 3333/);
  });

  it("refuses what has no weight, even once", () => {
    assert.throws(() => assertSpread({ a: 10000, b: 1 }, { a: 1, b: 0 }), /b was chosen 1 times/);
    assert.throws(() => assertSpread({ a: 10000, x: 1 }, { a: 1 }), /x was chosen 1 times/);
  });

  it("refuses to judge from too few draws", () => {
    assert.throws(() => assertSpread({ a: 4, b: 4 }, { a: 1, b: 1 }), /too few draws/);
  });
});
