import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Datapath } from "../../src/dataplane/mod.ts";
import { turn } from "./_datapath_calls.ts";
import {
  assertServes,
  attachedMaps,
  type Change,
  createDatapathHost,
  type DatapathHost,
  dump,
  serviceOf,
} from "./_datapath_host.ts";
import { foreignMap, makeSlow, tamper } from "./_pool_world.ts";
import { randomFrom } from "./_random.ts";

/** Moving to larger maps loads the programs, if only into a fake kernel. */
const built = (() => {
  try {
    return Deno.statSync(new URL("../../build/workload.bpf.o", import.meta.url)).isFile;
  } catch {
    console.log(
      "test: SKIPPED the growth of a data path: there is no build/workload.bpf.o (deno task build)",
    );
    return false;
  }
})();

function services(count: number, members: number, from = 1): Change[] {
  return Array.from({ length: count }, (_, i) => serviceOf(from + i, members));
}

function gone(changes: readonly Change[]): Change[] {
  return changes.map(([key]) => [key, undefined]);
}

describe("a data path whose map records may not grow any more", () => {
  let host: DatapathHost;
  let datapath: Datapath;
  beforeEach(() => {
    host = createDatapathHost();
    datapath = host.open({ sizes: { records: 16 }, maxRecords: 16 });
  });
  afterEach(() => host[Symbol.dispose]());

  const tooLarge = /map records needs (\d+) slots, and may have 16: raise --max-records$/;

  /** What the data path believes. */
  function belief() {
    const { applied, pool } = datapath;
    return {
      services: [...applied.services.keys()],
      used: [applied.servicePortIds.used, applied.endpointIndexes.used, pool.used, pool.allocated],
      ends: [applied.servicePortIds.end, applied.endpointIndexes.end, pool.end],
    };
  }

  it("refuses a larger mesh, changes nothing, and takes a smaller one", async () => {
    const three = services(3, 3);
    await datapath.flush(three);
    await datapath.settle();
    const before = [dump(host.kernel, datapath), belief(), host.kernel.openFiles];
    for (let tries = 0; tries < 3; tries++) {
      await assert.rejects(datapath.flush(services(30, 3, 4)), tooLarge);
      await datapath.settle();
      assert.deepEqual([dump(host.kernel, datapath), belief(), host.kernel.openFiles], before);
    }
    const more = services(4, 3, 4);
    const { grownTo } = await datapath.flush(more);
    assert.equal(grownTo, undefined);
    assertServes(host.kernel, datapath, [...three, ...more]);
    await datapath.flush(gone(three));
    await datapath.settle();
    assertServes(host.kernel, datapath, more);
  });

  it("says how many slots the mesh needs", async () => {
    await assert.rejects(datapath.flush(services(15 + 1, 1)), (error: Error) => {
      assert.equal(tooLarge.exec(error.message)?.[1], "17");
      return true;
    });
    await datapath.flush(services(15, 1));
    assertServes(host.kernel, datapath, services(15, 1));
  });

  it("does so with the very first mesh too", async () => {
    await assert.rejects(datapath.flush(services(30, 3)), tooLarge);
    assert.equal(datapath.maps, undefined);
    await datapath.flush(services(3, 3));
    assertServes(host.kernel, datapath, services(3, 3));
  });

  it("serves a record that must move only while both fit, and says so", async () => {
    await datapath.flush(services(15, 1));
    await datapath.settle();
    const before = [dump(host.kernel, datapath), belief()];
    await assert.rejects(datapath.flush([serviceOf(1, 40)]), tooLarge);
    assert.deepEqual([dump(host.kernel, datapath), belief()], before);
    await datapath.flush(gone(services(1, 1, 2)));
    await datapath.settle();
    await datapath.flush([serviceOf(1, 40)]);
    assertServes(host.kernel, datapath, [serviceOf(1, 40), ...services(13, 1, 3)]);
  });

  it("has spares as far as there is room, and does not complain", async () => {
    const { backgroundError } = await datapath.flush(services(14, 3));
    await datapath.settle();
    assert.equal(backgroundError, undefined);
    assert.equal(datapath.backgroundError, undefined);
    assert.equal(datapath.pool.allocated, 15);
  });
});

describe("a data path that is flushed to all the time", () => {
  it("waits for one grace period for all that was released meanwhile, and takes its indexes again", async () => {
    using host = createDatapathHost();
    const datapath = host.open();
    const { kernel } = host;
    await datapath.flush(services(3, 3));
    await datapath.settle();
    let waits = 0;
    kernel.onGracePeriod = () => {
      waits++;
      return () => {};
    };
    kernel.holdGracePeriods = true;
    // Other members each time: as many endpoints are released as there are new ones.
    const turns = 50;
    for (let n = 1; n <= turns; n++) await datapath.flush([serviceOf(1, 3, 1000 + 3 * n)]);
    assert.equal(waits, 1);
    assert.equal(datapath.applied.endpointIndexes.used, 9 + 3 * turns);
    kernel.holdGracePeriods = false;
    await kernel.endGracePeriods();
    await datapath.settle();
    assert.equal(waits, 2);
    assert.equal(datapath.applied.endpointIndexes.used, 9);
    assert.equal(datapath.backgroundError, undefined);
    datapath.close();
  });
});

describe("a data path whose mesh outgrows its maps", { ignore: !built }, () => {
  let host: DatapathHost;
  let datapath: Datapath;
  const five = services(5, 2);

  async function start(host: DatapathHost): Promise<Datapath> {
    const datapath = host.open({ sizes: { records: 32, endpoints: 64 }, maxRecords: 4096 });
    await datapath.flush(five);
    await datapath.attach();
    await datapath.settle();
    return datapath;
  }
  beforeEach(async () => {
    host = createDatapathHost();
    datapath = await start(host);
  });
  afterEach(() => host[Symbol.dispose]());

  const open = () => [host.kernel.openFiles, ...host.programs.open];
  const pins = () => [...Deno.readDirSync(host.paths.root)].map(({ name }) => name).sort();

  it("moves to larger ones, which hold all the same, and leaves nothing of the old ones", async () => {
    const before = { open: open(), pins: pins(), maps: attachedMaps(host) };
    const many = services(40, 2, 6);
    const { grownTo } = await datapath.flush(many);
    assert.ok(grownTo && grownTo.records >= 64);
    assert.equal(grownTo.endpoints, 128);
    assert.deepEqual(datapath.maps!.sizes, grownTo);
    await datapath.settle();
    assertServes(host.kernel, datapath, [...five, ...many]);
    const after = attachedMaps(host);
    for (const name of ["records", "endpoints", "endpoint_hits"]) {
      assert.notEqual(after.get(name), before.maps.get(name), name);
    }
    for (const name of ["services", "frontends", "counters", "socket_peers"]) {
      assert.equal(after.get(name), before.maps.get(name), name);
    }
    assert.deepEqual(pins(), before.pins);
    const opened = open();
    await datapath.flush(services(60, 2, 100));
    await datapath.settle();
    assert.deepEqual(open(), opened);
    await datapath.flush(gone(services(60, 2, 100)));
    await datapath.settle();
    assertServes(host.kernel, datapath, [...five, ...many]);
    assert.deepEqual(await datapath.audit(), { repairs: [], lost: [] });
    // The next agent finds the larger ones.
    const next = host.open();
    assert.ok(next.tookOver);
    assert.deepEqual(next.maps!.sizes, datapath.maps!.sizes);
    const { repaired } = await next.flush([...five, ...many]);
    assert.deepEqual(repaired, []);
    assertServes(host.kernel, next, [...five, ...many]);
  });

  it("moves thousands of records with few files open at a time", async () => {
    const some = services(250, 1, 6);
    await datapath.flush(some);
    for (let n = 1; n <= 4; n++) await datapath.flush(services(350, 1, n * 1000));
    await datapath.settle();
    const { kernel } = host;
    // Batches overlap where publishing takes a while.
    makeSlow(kernel, randomFrom(1));
    let most = 0;
    kernel.onWrite = () => most = Math.max(most, kernel.openFiles);
    const { grownTo } = await datapath.flush(services(1600, 1, 5000));
    kernel.onWrite = undefined;
    assert.ok(grownTo && grownTo.records > 2048, JSON.stringify(grownTo));
    assert.ok(most > 500 && most < 550, `${most} files were open at a time`);
    assertServes(kernel, datapath, [...five, ...some]);
  });

  it("is looked over before and after it moves to larger ones, never meanwhile", async () => {
    const random = randomFrom(1);
    for (let round = 0; round < 20; round++) {
      using host = createDatapathHost();
      const datapath = await start(host);
      makeSlow(host.kernel, random);
      const audits = [datapath.audit()];
      const flush = datapath.flush(services(40, 2, 6));
      const ended = flush.then(() => true);
      while (!await Promise.race([ended, false])) {
        if (random() < 0.2) audits.push(datapath.audit());
        // A flush also waits for turns of the event loop.
        if (random() < 0.05) await turn();
      }
      assert.ok((await flush).grownTo);
      for (const found of await Promise.all(audits)) assert.deepEqual(found, { repairs: [], lost: [] });
      await datapath.settle();
      assertServes(host.kernel, datapath, [...five, ...services(40, 2, 6)]);
    }
  });

  it("is looked over before and after it is read back, never meanwhile", async () => {
    const random = randomFrom(2);
    makeSlow(host.kernel, random);
    for (let round = 0; round < 20; round++) {
      tamper(host.kernel, 20, foreignMap(host.kernel, 3));
      const audit = datapath.audit();
      for (let pauses = Math.floor(random() * 40); pauses > 0; pauses--) await null;
      await Promise.all([audit, datapath.reread()]);
      // Those that come take all the spares there are.
      const all = [...five, ...services(8, 3, 6)];
      await datapath.flush(all);
      assertServes(host.kernel, datapath, all);
      await datapath.flush(gone(services(8, 3, 6)));
      await datapath.settle();
      await datapath.audit();
      assert.deepEqual(await datapath.audit(), { repairs: [], lost: [] });
    }
  });

  it("stays as it is where there is no memory for larger ones, and tries again with the next mesh", async () => {
    const before = [dump(host.kernel, datapath), attachedMaps(host), open(), pins()];
    const many = services(40, 2, 6);
    for (const failing of ["endpoints", "records", "record"]) {
      host.programs.failCreate = (name) => name === failing;
      await assert.rejects(datapath.flush(many), new RegExp(`create .*map ${failing} .*no memory`));
      host.programs.failCreate = undefined;
      assert.deepEqual([dump(host.kernel, datapath), attachedMaps(host), open(), pins()], before);
    }
    for (const attaches of [0, 4]) {
      host.programs.attachesLeft = attaches;
      await assert.rejects(datapath.flush(many), /replace the program on/);
      host.programs.attachesLeft = Infinity;
      assert.deepEqual([dump(host.kernel, datapath), attachedMaps(host), open(), pins()], before);
    }
    host.programs.failCreate = (name, entries) => name === "records" && entries > 32;
    await datapath.flush(services(2, 2, 6));
    assertServes(host.kernel, datapath, [...five, ...services(2, 2, 6)]);
    host.programs.failCreate = undefined;
    assert.ok((await datapath.flush(many)).grownTo!.records >= 64);
    assertServes(host.kernel, datapath, [...five, ...many]);
  });

  it("serves on where larger ones were only for spares, says so, and does not try each time", async () => {
    let tries = 0;
    host.programs.failCreate = (name, entries) => {
      if (name !== "records" || entries <= 32) return false;
      tries++;
      return true;
    };
    const more = services(15, 2, 6);
    const { backgroundError, grownTo } = await datapath.flush(more);
    assert.equal(grownTo, undefined);
    assert.match(backgroundError!, /^map records is nearly full, and there is no larger one: .*no memory/);
    assertServes(host.kernel, datapath, [...five, ...more]);
    await datapath.settle();
    assert.equal(datapath.backgroundError, backgroundError);
    assert.equal(tries, 1);
    await datapath.flush([serviceOf(6, 4)]);
    await datapath.settle();
    assert.equal(tries, 1);
    assert.equal(datapath.backgroundError, backgroundError);
    // One that needs them does try, and the complaint ends where there is room again.
    await assert.rejects(datapath.flush(services(60, 2, 100)), /no memory/);
    assert.equal(tries, 2);
    await datapath.flush(gone([...five, ...more]));
    await datapath.settle();
    await datapath.flush(services(1, 2));
    assert.equal(datapath.backgroundError, undefined);
    assertServes(host.kernel, datapath, services(1, 2));
  });
});
