import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { AppliedEndpoint } from "../../src/dataplane/applied.ts";
import { entriesOf, layoutOf } from "../../src/dataplane/plan/layout.ts";
import type { Choice } from "../../src/mesh/mod.ts";

const ring: Choice = { kind: "ringHash", minimumSize: 1024, maximumSize: 8_388_608 };
const maglev: Choice = { kind: "maglev", tableSize: 65_537 };
const leastRequest: Choice = { kind: "leastRequest", choices: 2 };

/** Endpoints number `first` on, of these weights. */
function rowsOf(weights: readonly number[], first = 1): AppliedEndpoint[] {
  return weights.map((weight, i) => {
    const port = first + i;
    return { uid: `10.0.0.1:${port}`, address: "10.0.0.1", port, weight, index: port, generation: 1 };
  });
}

const equal = (count: number) => rowsOf(Array<number>(count).fill(1));

/** Endpoint → how many entries name it. */
function countsOf(entries: readonly { readonly endpoint: number }[]): number[] {
  const counts: number[] = [];
  for (const { endpoint } of entries) counts[endpoint - 1] = (counts[endpoint - 1] ?? 0) + 1;
  return counts;
}

/** Whom the programs choose for a client's hash (bpf/choice.h). */
function chosenOnRing(entries: readonly { threshold: number; endpoint: number }[], hash: number): number {
  return (entries.find(({ threshold }) => threshold >= hash) ?? entries[0]).endpoint;
}

describe("how a record is laid out", () => {
  it("as the choice wants it, and one endpoint as a list of one", () => {
    const other = rowsOf([1, 3]);
    assert.equal(layoutOf(equal(2), leastRequest), "list");
    assert.equal(layoutOf(other, { kind: "roundRobin" }), "alias");
    assert.equal(layoutOf(other, leastRequest), "alias with weights");
    for (const choice of [ring, maglev]) {
      assert.equal(layoutOf(equal(2), choice), "table");
      assert.equal(layoutOf(equal(1), choice), "list");
      assert.deepEqual(entriesOf(equal(1), choice), [{ threshold: 0, endpoint: 1 }]);
    }
  });

  it("for the least busy: each row's weight follows, and an alias says whose row it is", () => {
    const weights = [1, 3, 4];
    const entries = entriesOf(rowsOf(weights), leastRequest);
    assert.equal(entries.length, 9);
    assert.deepEqual(entries.slice(6), weights.map((threshold, i) => ({ threshold, endpoint: i + 1 })));
    for (let row = 0; row < 3; row++) {
      const { threshold: item, endpoint } = entries[2 * row + 1];
      assert.equal(endpoint, item + 1);
    }
  });

  it("a ring has as many points as Envoy's, each endpoint's by its weight, in order", () => {
    const sizes: [weights: number[], minimum: number, maximum: number, points: number[]][] = [
      [[1, 1, 1, 1], 1024, 8_388_608, [256, 256, 256, 256]],
      // The least has a whole number of points, and there are at least 1024.
      [[1, 1, 1], 1024, 8_388_608, [342, 342, 342]],
      [[1, 2], 1024, 8_388_608, [342, 684]],
      [[1, 99], 64, 8_388_608, [1, 99]],
      [[1, 1, 1, 1], 1024, 8, [2, 2, 2, 2]],
      [[1, 1, 1], 1, 2, [1, 1]],
    ];
    for (const [weights, minimumSize, maximumSize, points] of sizes) {
      const entries = entriesOf(rowsOf(weights), { kind: "ringHash", minimumSize, maximumSize });
      assert.deepEqual(countsOf(entries), points);
      assert.ok(entries.every(({ threshold }, i) => i === 0 || entries[i - 1].threshold <= threshold));
    }
  });

  it("a ring's shares are nearly as the weights, and who is left keeps clients", () => {
    const entries = entriesOf(equal(5), { ...ring, minimumSize: 4096 });
    const without = entriesOf(equal(4), { ...ring, minimumSize: 4096 });
    const clients = Array.from({ length: 2000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 0);
    const before = clients.map((hash) => chosenOnRing(entries, hash));
    const after = clients.map((hash) => chosenOnRing(without, hash));
    for (let endpoint = 1; endpoint <= 5; endpoint++) {
      const share = before.filter((one) => one === endpoint).length / clients.length;
      assert.ok(Math.abs(share - 0.2) < 0.05, `endpoint ${endpoint} has ${share}`);
    }
    const moved = before.filter((one, i) => one !== 5 && one !== after[i]).length / clients.length;
    assert.ok(moved < 0.2, `${moved} moved`);
  });

  it("a Maglev table is full, shares are within a hundredth of the weights, and few entries move", () => {
    for (const weights of [[1, 1, 1, 1, 1], [1, 2, 3, 4], [7, 1]]) {
      const total = weights.reduce((sum, weight) => sum + weight);
      const entries = entriesOf(rowsOf(weights), maglev);
      assert.equal(entries.length, 65_537);
      countsOf(entries).forEach((count, i) => {
        const off = Math.abs(count / 65_537 * total / weights[i] - 1);
        assert.ok(off < 0.01, `endpoint ${i} of ${weights} is ${off} off`);
      });
    }
    const [before, after] = [entriesOf(equal(10), maglev), entriesOf(equal(9), maglev)];
    const moved =
      before.filter(({ endpoint }, i) => endpoint !== 10 && endpoint !== after[i].endpoint).length;
    assert.ok(moved < 65_537 * 0.1, `${moved} entries moved`);
    assert.ok(after.every(({ endpoint }) => endpoint < 10));
  });

  it("tables do not depend on the order of endpoints", () => {
    const rows = rowsOf([3, 1, 2, 5, 1]);
    for (const choice of [ring, maglev]) {
      assert.deepEqual(entriesOf(rows.toReversed(), choice), entriesOf(rows, choice));
    }
  });

  it("a table of more endpoints than entries is full", () => {
    const entries = entriesOf(equal(50), { kind: "maglev", tableSize: 13 });
    assert.equal(new Set(entries.map(({ endpoint }) => endpoint)).size, 13);
  });
});
