import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Datapath } from "../../src/dataplane/mod.ts";
import type { AppliedEndpoint, AppliedTier } from "../../src/dataplane/applied.ts";
import { matchTiers } from "../../src/dataplane/plan/match.ts";
import { randomChoice } from "../../src/mesh/mod.ts";
import { type Change, createDatapathHost, type DatapathHost } from "./_datapath_host.ts";
import { desiredService } from "./_random_services.ts";

function row(index: number): AppliedEndpoint {
  return { uid: `${index}`, address: "10.0.0.1", port: 80, weight: 1, index, generation: 1 };
}

function record(slot: number, indexes: readonly number[], capacity = 64): AppliedTier {
  return { slot, capacity, layout: "list", table: null, rows: indexes.map(row) };
}

/** The slot of each tier's record. */
function match(records: readonly AppliedTier[], ...placed: readonly (readonly number[])[]) {
  return matchTiers(records, placed.map((indexes) => indexes.map(row))).map((one) => one?.slot ?? null);
}

describe("each tier takes a record", () => {
  it("that its endpoints are in, whatever the order", () => {
    const records = [record(1, [1, 2, 3]), record(2, [4, 5]), record(3, [6])];
    assert.deepEqual(match(records, [6], [1, 2, 3], [4, 5]), [3, 1, 2]);
    assert.deepEqual(match(records, [4, 5, 9], [6], [1, 2]), [2, 3, 1]);
  });

  it("that most of them are in; nobody else gets that one", () => {
    const records = [record(1, [1, 2, 3, 4]), record(2, [5, 6])];
    assert.deepEqual(match(records, [4, 5, 6], [1, 2, 3]), [2, 1]);
    assert.deepEqual(match(records, [1, 2], [3, 4], [5, 6]), [1, null, 2]);
  });

  it("with room for them, where there is one", () => {
    const records = [record(1, [1, 2, 3, 4], 4), record(2, [5, 6], 8)];
    assert.deepEqual(match(records, [1, 2, 3, 4, 5], [7]), [2, 1]);
  });

  it("of about their number", () => {
    const records = [record(1, Array.from({ length: 30 }, (_, i) => i)), record(2, [30, 31])];
    assert.deepEqual(match(records, [0, 1, 2, 30]), [2]);
  });

  it("that is left, where it has nothing in common with any", () => {
    const records = [record(1, [1]), record(2, [2])];
    assert.deepEqual(match(records, [9], [1], [8]), [2, 1, null]);
    assert.deepEqual(match([record(1, [1])], [9]), [1]);
    assert.deepEqual(match([], [9], [8]), [null, null]);
    assert.deepEqual(match([]), []);
  });
});

describe("when all tiers are nearer or farther than before", () => {
  let host: DatapathHost;
  let datapath: Datapath;
  beforeEach(() => {
    host = createDatapathHost();
    datapath = host.open();
  });
  afterEach(async () => {
    await datapath.settle();
    datapath.close();
    host[Symbol.dispose]();
  });

  /** A service whose members 0 to 39, 40 to 79 and 80 to 119 are of these ranks. */
  function service(ranks: readonly number[]): Change {
    const members = Array.from(
      { length: 120 },
      (_, number) => ({ uid: `w${number}`, number, weight: 1, rank: ranks[Math.floor(number / 40)] }),
    );
    const key = "shop/s1";
    const draft = { vips: ["10.96.0.1"], ports: [80], left: false, mapped: true, choice: randomChoice };
    return [key, desiredService(key, { ...draft, members })];
  }

  it("one word is written, and no record", async () => {
    await datapath.flush([service([2, 1, 0])]);
    await datapath.settle();
    for (const ranks of [[0, 1, 2], [1, 2, 0], [0, 2, 1], [2, 1, 0]]) {
      const written: string[] = [];
      host.kernel.onWrite = ({ name }) => written.push(name);
      const { recordsPublished, endpointsWritten } = await datapath.flush([service(ranks)]);
      host.kernel.onWrite = undefined;
      assert.equal(recordsPublished + endpointsWritten, 0, `${ranks}`);
      assert.ok(written.every((name) => name === "services") && written.length <= 2, `${ranks}: ${written}`);
    }
  });
});
