/** Limits of connections on the fake kernel: there before they are named, gone when nothing counts under them. */

import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Datapath } from "../../src/dataplane/mod.ts";
import { hashText } from "../../src/mesh/mod.ts";
import {
  assertServes,
  type Change,
  createDatapathHost,
  type DatapathHost,
  serviceOf,
} from "./_datapath_host.ts";

/** Service number `n`, under the limit of a cluster. */
function limited(n: number, cluster: string, max: number): Change {
  const [key, service] = serviceOf(n, 2);
  const connectionLimit = { cluster, max };
  const servicePorts = service!.servicePorts.map((port) => ({ ...port, connectionLimit }));
  return [key, { ...service!, servicePorts }];
}

describe("limits of connections", () => {
  let host: DatapathHost;
  let datapath: Datapath;
  beforeEach(() => {
    host = createDatapathHost();
    datapath = host.open();
  });
  afterEach(() => {
    datapath.close();
    host[Symbol.dispose]();
  });

  const flush = async (...changes: Change[]) => {
    await datapath.flush(changes);
    await datapath.settle();
  };
  /** The most connections of each limit that service ports name, and how many name it. */
  const named = () => {
    const { maps, sockets } = datapath;
    const limits = new Map<number, number>();
    for (const [, { limit }] of maps!.services.entries()) {
      if (limit !== 0) limits.set(limit, (limits.get(limit) ?? 0) + 1);
    }
    return [...limits].map(([id, ports]) => [sockets.connectionLimits.lookup(id)?.most, ports]).sort();
  };
  const counts = () => [...datapath.sockets.activeConnections.entries()].map(([, count]) => count);
  const connections = (count: bigint) => {
    for (const [id] of datapath.sockets.activeConnections.entries()) {
      datapath.sockets.activeConnections.update(id, count);
    }
  };

  /** The limit that a service names. */
  const limitOf = (n: number) => {
    const [port] = datapath.applied.services.get(`shop/s${n}`)!.servicePorts.values();
    const { limit: id } = datapath.maps!.services.lookup(port.id)!;
    const { activeConnections, connectionLimits } = datapath.sockets;
    const { cluster } = datapath.applied.limits.byId.get(id)!;
    return { id, cluster, word: connectionLimits.lookup(id), active: activeConnections.lookup(id) };
  };

  it("are shared by all service ports of a cluster, and change without a new id", async () => {
    await flush(limited(1, "a", 5), limited(2, "a", 5), limited(3, "b", 7), serviceOf(4, 2));
    assert.deepEqual(named(), [[5, 2], [7, 1]]);
    connections(3n);
    await flush(limited(1, "a", 6), limited(2, "a", 6));
    assert.deepEqual(named(), [[6, 2], [7, 1]]);
    assert.deepEqual(counts(), [3n, 3n]);
    connections(0n);
    await flush(serviceOf(1, 2));
    assert.equal(counts().length, 2);
    await flush(serviceOf(2, 2));
    assert.equal(counts().length, 1);
  });

  it("stay while a connection counts under them, and go at a later flush", async () => {
    await flush(limited(1, "a", 5), limited(2, "a", 5));
    connections(1n);
    await flush(serviceOf(1, 2), ["shop/s2", undefined]);
    assert.deepEqual(counts(), [1n]);
    await flush(limited(1, "a", 8));
    assert.deepEqual(counts(), [1n], "it is the same one again");
    await flush(serviceOf(1, 2));
    connections(0n);
    await flush(serviceOf(3, 2));
    assert.deepEqual(counts(), []);
    assert.deepEqual([...datapath.sockets.connectionLimits.entries()], []);
    await flush(limited(1, "a", 9));
    assert.deepEqual([named(), counts(), limitOf(1).cluster], [[[9, 1]], [0n], "a"]);
  });

  it("are there whenever a service port names them, and go only after a grace period", async () => {
    host.kernel.onWrite = () => {
      if (!datapath.maps) return;
      for (const [most] of named()) assert.notEqual(most, undefined);
    };
    await flush(limited(1, "a", 5), limited(2, "b", 5));
    host.kernel.holdGracePeriods = true;
    await datapath.flush([limited(1, "b", 5)]);
    assert.equal(counts().length, 2);
    host.kernel.holdGracePeriods = false;
    await host.kernel.endGracePeriods();
    await datapath.settle();
    assert.equal(counts().length, 1);
  });

  it("go only after a grace period that began when nothing named them any more, whatever was owed before", async () => {
    await flush(limited(1, "a", 5));
    host.kernel.holdGracePeriods = true;
    await datapath.flush([serviceOf(1, 2)]);
    await datapath.flush([limited(1, "a", 5)]);
    await datapath.flush([serviceOf(1, 2)]);
    await host.kernel.endGracePeriods();
    assert.deepEqual(counts(), [0n], "the first one had begun before");
    host.kernel.holdGracePeriods = false;
    await host.kernel.endGracePeriods();
    await datapath.settle();
    assert.deepEqual(counts(), []);
  });

  it("that cannot be removed are tried again, and nothing else is done twice", async () => {
    await flush(limited(1, "a", 5));
    host.kernel.failAt = ({ name }, value) => name === "active_connecti" && value === undefined;
    await datapath.flush([["shop/s1", undefined]]);
    await assert.rejects(datapath.settle(), /active_connections/);
    assert.deepEqual(counts(), [0n]);
    host.kernel.failAt = undefined;
    const { backgroundError } = await datapath.flush([serviceOf(2, 2)]);
    assert.match(backgroundError!, /active_connections/);
    await datapath.settle();
    assert.deepEqual(counts(), []);
    assert.equal(datapath.backgroundError, undefined);
    await flush(serviceOf(3, 2));
    assertServes(host.kernel, datapath, [serviceOf(2, 2), serviceOf(3, 2)]);
  });

  it("are as they were after a flush that fails at any write", async () => {
    for (let at = 0, reached = true; reached; at++) {
      using other = createDatapathHost();
      datapath = other.open();
      await flush(limited(1, "a", 5), limited(2, "b", 7));
      let writes = 0;
      other.kernel.failAt = () => writes++ === at;
      const failed = await datapath.flush([limited(1, "a", 6), limited(2, "c", 8)]).then(
        () => false,
        () => true,
      );
      await datapath.settle().catch(() => {});
      reached = writes > at;
      other.kernel.failAt = undefined;
      if (failed) assert.deepEqual(named(), [[5, 1], [7, 1]], `write ${at}`);
      await flush(limited(1, "a", 6), limited(2, "c", 8));
      assert.deepEqual(named(), [[6, 1], [8, 1]], `write ${at}`);
      assert.deepEqual(counts(), [0n, 0n], `write ${at}`);
      if (reached) datapath.close();
    }
  });

  it("are found again with what counts under them; those of clusters that are gone go", async () => {
    await flush(limited(1, "a", 5), limited(2, "b", 7));
    connections(2n);
    await datapath.reread();
    await flush(limited(1, "a", 5));
    assert.deepEqual(counts(), [2n, 2n]);
    connections(0n);
    await flush(serviceOf(3, 2));
    assert.deepEqual(counts(), [0n]);
  });

  it("are found again by their clusters' names, in whichever order these come", async () => {
    await flush(limited(1, "a", 5), limited(2, "b", 5), limited(3, "c", 5));
    const before = [1, 2, 3].map(limitOf);
    await datapath.reread();
    await flush(limited(3, "c", 5), limited(2, "b", 5), limited(1, "a", 5));
    assert.deepEqual([1, 2, 3].map(limitOf), before);
  });

  it("of two clusters whose names have one hash are two", async () => {
    const byHash = new Map<number, string>();
    const clusters = Array.from({ length: 1_000_000 }).keys().map((n) => {
      const name = `cluster ${n}`, id = hashText(name) & 0x7fff_ffff;
      const other = byHash.get(id);
      byHash.set(id, name);
      return other === undefined ? undefined : [other, name] as const;
    }).find((pair) => pair !== undefined);
    assert.ok(clusters);
    await flush(limited(1, clusters[0], 5), limited(2, clusters[1], 7));
    assert.deepEqual(named(), [[5, 1], [7, 1]]);
    assert.equal(limitOf(2).id, limitOf(1).id + 1);
  });

  it("are put right where somebody damaged a word or took a count away", async () => {
    await flush(limited(1, "a", 5), limited(2, "b", 7));
    connections(2n);
    const [a, b] = [limitOf(1), limitOf(2)];
    datapath.sockets.connectionLimits.update(a.id, { most: 5, tag: a.word!.tag ^ 1 });
    datapath.sockets.activeConnections.delete(b.id);
    // As an agent leaves it that is killed while it removes one.
    datapath.sockets.activeConnections.update(a.id + 1, 0n);
    await datapath.reread();
    await flush(limited(1, "a", 5), limited(2, "b", 7));
    assert.deepEqual([limitOf(1), limitOf(2)], [a, { ...b, active: 0n }]);
    assert.equal(counts().length, 2);
  });

  it("are taken up by the next agent, whichever write was the last one's last", async () => {
    for (let last = 0, reached = true; reached; last++) {
      using other = createDatapathHost();
      datapath.close();
      datapath = other.open();
      await flush(limited(1, "a", 5), limited(2, "b", 7));
      await datapath.attach();
      connections(2n);
      let writes = 0;
      other.kernel.failAt = () => writes++ >= last;
      await datapath.flush([limited(1, "a", 6), limited(2, "c", 8)]).catch(() => {});
      await datapath.settle().catch(() => {});
      reached = writes > last;
      datapath.close();
      other.kernel.failAt = undefined;
      datapath = other.open();
      await flush(limited(1, "a", 6), limited(2, "c", 8));
      assert.deepEqual(named(), [[6, 1], [8, 1]], `write ${last}`);
      assert.deepEqual([limitOf(1).active, limitOf(2).active], [2n, 0n], `write ${last}`);
      assert.equal(counts().length, 3, `write ${last}: those that count under b do`);
      connections(0n);
      await flush(serviceOf(3, 2));
      assert.equal(counts().length, 2, `write ${last}`);
    }
  });

  /** Service number 1 with a port for each of so many further clusters. */
  const oneTooMany = (clusters: number): Change => {
    const [key, service] = limited(1, "a", 5);
    const many = Array.from({ length: clusters }, (_, i) => ({
      ...service!.servicePorts[0],
      key: `port ${i}`,
      tiers: [],
      connectionLimit: { cluster: `c${i}`, max: 1 },
    }));
    return [key, { ...service!, servicePorts: [...service!.servicePorts, ...many] }];
  };

  it("that are too many for the map are refused aloud, and nothing changes", async () => {
    await flush(limited(1, "a", 5));
    await assert.rejects(
      datapath.flush([oneTooMany(64)]),
      /connection_limits has room for 64 clusters, and 65 need it .*: raise --max-connection-limits, and run weft detach/,
    );
    assert.deepEqual([named(), counts()], [[[5, 1]], [0n]]);
    await flush(limited(1, "a", 6));
    assert.deepEqual([named(), counts()], [[[6, 1]], [0n]]);
  });

  it("have as much room as was asked for; a map that is pinned keeps its size, and the refusal says so", async () => {
    datapath.close();
    datapath = host.open({ socketSizes: { connectionLimits: 65 } });
    await flush(oneTooMany(64));
    assert.equal(counts().length, 65);
    await datapath.attach();
    datapath.close();
    datapath = host.open({ socketSizes: { connectionLimits: 1000 } });
    await assert.rejects(
      datapath.flush([oneTooMany(65)]),
      /room for 65 clusters, and 66 need it .*: --max-connection-limits is 1000, but the map keeps its size until weft detach/,
    );
  });
});
