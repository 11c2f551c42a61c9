/** How many connections an endpoint got is counted for that endpoint alone, whoever had its index before. */

import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Datapath } from "../../src/dataplane/mod.ts";
import { createDatapathHost, type DatapathHost, serviceOf } from "./_datapath_host.ts";

/** The indexes of all endpoints that are applied. */
function indexes({ applied }: Datapath): number[] {
  return [...applied.services.values()].flatMap(({ servicePorts }) =>
    [...servicePorts.values()].flatMap(({ tiers }) =>
      [...tiers.values()].flatMap(({ rows }) => rows.map(({ index }) => index))
    )
  );
}

const hits = (datapath: Datapath) =>
  indexes(datapath).map((index) => datapath.maps!.endpointHits.lookup(index));

/** Every endpoint gets connections. */
function connect(datapath: Datapath): number[] {
  const all = indexes(datapath);
  for (const index of all) datapath.maps!.endpointHits.update(index, 7n);
  return all;
}

describe("what an endpoint's index has counted", () => {
  let host: DatapathHost;
  let datapath: Datapath;
  /** The indexes that the first endpoints had. */
  let first: number[];
  beforeEach(async () => {
    host = createDatapathHost();
    datapath = host.open();
    await datapath.flush([serviceOf(1, 3, 100)]);
    await datapath.attach();
    first = connect(datapath);
  });
  afterEach(() => {
    datapath.close();
    host[Symbol.dispose]();
  });

  /** Other endpoints get the indexes that the first ones had. */
  async function replaceAll(): Promise<void> {
    await datapath.flush([[serviceOf(1, 3)[0], undefined]]);
    await datapath.settle();
    await datapath.flush([serviceOf(2, 3, 200)]);
    assert.deepEqual(indexes(datapath).sort(), first.sort());
    assert.deepEqual(hits(datapath), [0n, 0n, 0n]);
  }

  it("is not the next one's", async () => {
    await replaceAll();
  });

  it("is not the next one's of a larger map", async () => {
    await datapath.flush([serviceOf(1, 3, 100), serviceOf(3, 1100, 2000)]);
    assert.ok(datapath.maps!.sizes.endpoints > 1024);
    assert.deepEqual(hits(datapath).filter((count) => count !== 0n), [7n, 7n, 7n]);
    await datapath.flush([[serviceOf(3, 0)[0], undefined]]);
    await replaceAll();
  });

  it("is not the next one's under the next agent, nor once the kernel was read back", async () => {
    datapath.close();
    datapath = host.open();
    await datapath.flush([serviceOf(1, 3, 100)]);
    assert.deepEqual(hits(datapath), [7n, 7n, 7n]);
    await datapath.reread();
    await datapath.flush([serviceOf(1, 3, 100)]);
    assert.deepEqual(hits(datapath), [7n, 7n, 7n]);
    await replaceAll();
  });

  it("is not the next one's where it was counted before a flush was undone", async () => {
    const { kernel } = host;
    let counted = 0;
    kernel.onWrite = (map) => {
      if (map.name !== "services" || counted > 0) return;
      for (let index = 0; index < 16; index++) {
        if (!first.includes(index)) datapath.maps!.endpointHits.update(index, 5n);
      }
      counted++;
    };
    kernel.failAt = (map) => map.name === "frontends";
    await assert.rejects(datapath.flush([serviceOf(2, 3, 200)]));
    kernel.onWrite = kernel.failAt = undefined;
    assert.equal(counted, 1);
    await datapath.flush([serviceOf(2, 3, 200)]);
    assert.deepEqual(hits(datapath), [7n, 7n, 7n, 0n, 0n, 0n]);
  });
});
