import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  ArrayMap,
  type Codec,
  createMap,
  HashMap,
  mapInfo,
  mmapable,
  openMapById,
  openShim,
  type Shim,
  workload,
} from "../../ffi/mod.ts";
import { type MeshMaps, openMeshMaps, pinPaths } from "../../src/dataplane/mod.ts";
import { frontendTag, frontendWord } from "../../src/dataplane/frontend_tag.ts";
import { finish } from "../../src/host/mod.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import {
  at,
  describeKernel,
  eventually,
  flawless,
  type HammerKind,
  type HammerResult,
  members,
  readWords,
  repetitions,
  type Services,
  useWorld,
} from "../kit/mod.ts";

const text = new TextEncoder();

/** Does two things in turn as fast as it can, until the promise is settled. */
async function alternate(first: () => void, second: () => void, until: Promise<unknown>): Promise<void> {
  let settled = false;
  until.then(() => settled = true, () => settled = true);
  while (!settled) {
    for (let i = 0; i < 500; i++) {
      first();
      second();
    }
    await new Promise((resolve) => setTimeout(resolve, 0)); // the promise's turn
  }
}

const ones = 0x11111111;
const twos = 0x22222222;
const ofOnes = "1".repeat(16);
const ofTwos = "2".repeat(16);

/** A value that is one byte again and again. */
function bytes(size: number): Codec<number> {
  return {
    size,
    read: (view, at) => view.getUint8(at),
    write: (view, at, value) => new Uint8Array(view.buffer, view.byteOffset + at, size).fill(value),
  };
}

describeKernel("a word that is edited in place is never read half written", () => {
  /** Reads a word on another thread while two values are written in turn. */
  async function race<V>(
    shape: {
      readonly name: string;
      readonly codec: Codec<V>;
      readonly wordsAt: readonly number[];
      readonly hash?: boolean;
    },
    values: readonly [V, V],
  ) {
    using shim = openShim();
    const { name, codec, wordsAt, hash = false } = shape;
    const [keySize, key] = hash ? [20, text.encode("a key of twenty byte")] : [4, new Uint8Array(4)];
    const fd = createMap(shim, {
      type: hash ? 1 : 2,
      name,
      keySize,
      valueSize: codec.size,
      maxEntries: 4,
      flags: hash ? 0 : mmapable,
    });
    const task = { mapId: mapInfo(shim, fd).id, key, valueSize: codec.size, wordsAt, inPlace: !hash };
    const map = hash
      ? new HashMap(shim, fd, { name, key: { size: 20, read: () => 0, write: fillIn(key) }, value: codec })
      : new ArrayMap(shim, fd, { name, value: codec });
    map.update(0, values[0]);
    // Looking up takes fifty times as long as looking.
    const reads = hash ? repetitions(1_000_000, 100_000) : repetitions(20_000_000, 2_000_000);
    const seen = readWords({ ...task, reads });
    // As flushes write.
    const write = (value: V) => map instanceof ArrayMap ? map.storeMany([[0, value]]) : map.update(0, value);
    await alternate(() => write(values[1]), () => write(values[0]), seen);
    map[Symbol.dispose]();
    return await seen;
  }
  const fillIn = (key: Uint8Array) => (view: DataView, at: number) =>
    new Uint8Array(view.buffer, view.byteOffset + at, key.length).set(key);

  const address = addressToBytes("10.96.0.1");
  const cases = [
    {
      what: "a service port's tier",
      run: () =>
        race({ name: "services", codec: workload.servicePort, wordsAt: [8] }, [
          { flags: 0x1111, choices: 0x1111, limit: ones, tier: { slot: ones, count: ones } },
          { flags: 0x2222, choices: 0x2222, limit: twos, tier: { slot: twos, count: twos } },
        ]),
    },
    {
      what: "an entry of a record",
      run: () =>
        race({ name: "record", codec: workload.recordEntry, wordsAt: [0] }, [
          { threshold: ones, endpoint: ones },
          { threshold: twos, endpoint: twos },
        ]),
    },
    {
      what: "an endpoint's state",
      run: () =>
        race({ name: "endpoints", codec: workload.endpoint, wordsAt: [16] }, [
          { address, port: 0x1111, flags: 0x1111, generation: ones },
          { address, port: 0x2222, flags: 0x2222, generation: twos },
        ]),
    },
    {
      what: "a frontend",
      run: () =>
        race({ name: "frontends", codec: workload.frontend, wordsAt: [0], hash: true }, [
          { servicePort: ones, tag: ones },
          { servicePort: twos, tag: twos },
        ]),
    },
  ];
  for (const { what, run } of cases) {
    it(what, async () => {
      const { words } = await run();
      const { [ofOnes]: first = 0, [ofTwos]: second = 0, ...mixtures } = words;
      assert.deepEqual(mixtures, {});
      assert.ok(first > 100 && second > 100, `there was no race: ${first} and ${second} times`);
    });
  }

  it(
    "and longer values are: this test would notice",
    { ignore: navigator.hardwareConcurrency < 2 },
    async () => {
      const shape = { name: "long", codec: bytes(112), wordsAt: [0, 48, 104] };
      await eventually(
        "a value was read half written",
        async () => (await race(shape, [0x11, 0x22])).differing > 0,
        30_000,
      );
    },
  );
});

const all = ["tcp4", "udp4"] as const satisfies HammerKind[];

/** `x` is edited; the others hold what it is edited to, or must never be reached by its callers. */
const services: Services = {
  x: { vips: ["10.96.0.1"], members: members("a") },
  one: { vips: ["10.96.0.2"], members: members("a") },
  several: { vips: ["10.96.0.3"], members: members("b", "c") },
  foreign: { vips: ["10.96.0.4"], members: members("d") },
};

describeKernel("connections while the kernel's words change as fast as they can", () => {
  const world = useWorld({ services });

  /** The maps of the agent under test, written behind its back. */
  async function withMaps(use: (maps: MeshMaps, shim: Shim) => Promise<void>): Promise<void> {
    using shim = openShim();
    const maps = openMeshMaps(shim, pinPaths(world().agent.pinRoot).maps);
    assert.ok(maps, "the agent has pinned no maps");
    await use(maps, shim);
  }

  const keyOf = (vip: string, protocol: number): workload.FrontendKey => ({
    address: addressToBytes(vip),
    port: 80,
    protocol,
  });

  /** Connects in every way while two things are done in turn; answers with all that connected. */
  async function connectWhile(first: () => void, second: () => void): Promise<HammerResult[]> {
    const results: HammerResult[] = [];
    for (const kind of all) {
      const hammering = world().net.hammer({
        kind,
        targets: [at("10.96.0.1", 80)],
        count: repetitions(20_000, 2_000),
      });
      await alternate(first, second, hammering);
      results.push(flawless(await hammering));
    }
    const { counters } = await world().agent.status();
    assert.equal(counters.broken, 0);
    return results;
  }

  function assertServers(results: readonly HammerResult[], ...servers: string[]): void {
    for (const result of results) {
      assert.deepEqual(Object.keys(result.servers).toSorted(), servers);
      assert.deepEqual(Object.keys(result.peers), [at("10.96.0.1", 80)]);
    }
  }

  it("a tier: every connection reaches what one of its values says", () =>
    withMaps(async (maps) => {
      const idOf = (vip: string) => maps.frontends.lookup(keyOf(vip, 6))!.servicePort;
      const id = idOf("10.96.0.1");
      const before = maps.services.lookup(id)!;
      const several = maps.services.lookup(idOf("10.96.0.3"))!;
      // Another slot and another count: a mixture would look behind a record's end, or at half of one.
      assert.notDeepEqual(before.tier, several.tier);
      const results = await connectWhile(
        () => maps.services.storeMany([[id, several]]),
        () => maps.services.storeMany([[id, before]]),
      );
      assertServers(results, "a", "b", "c");
    }));

  /** A frontend as it is when it leads where another VIP does. */
  function frontend(maps: MeshMaps, vip: string, of: string, protocol: number) {
    const { servicePort } = maps.frontends.lookup(keyOf(of, protocol))!;
    const key = keyOf(vip, protocol);
    return [key, frontendWord(key, servicePort)] as const;
  }

  it("a frontend that has no line, its neighbours coming and going: none is missed or takes another's service", () =>
    withMaps(async (maps) => {
      const edits = [6, 17].map((protocol) => ({
        one: frontend(maps, "10.96.0.1", "10.96.0.2", protocol),
        several: frontend(maps, "10.96.0.1", "10.96.0.3", protocol),
        before: frontend(maps, "10.96.0.1", "10.96.0.1", protocol),
        // The kernel gives a deleted element's memory to the next that is made.
        neighbour: frontend(maps, "10.96.99.99", "10.96.0.4", protocol),
      }));
      finish(maps.frontendLines.fill(maps.frontends.entries()));
      maps.frontendLines.delete(edits.map(({ before }) => before[0]));
      const results = await connectWhile(() => {
        for (const { several, neighbour } of edits) {
          maps.frontends.update(...neighbour);
          maps.frontends.update(...several);
        }
      }, () => {
        for (const { one, neighbour } of edits) {
          maps.frontends.delete(neighbour[0]);
          maps.frontends.update(...one);
        }
      });
      for (const { before } of edits) maps.frontends.update(...before);
      maps.frontendLines.put(edits.map(({ before }) => before));
      assertServers(results, "a", "b", "c");
    }));

  it("a frontend's line, with others taking its ways: none is missed or takes another's service", () =>
    withMaps(async (maps) => {
      const { frontendLines } = maps;
      const lineOf = (key: workload.FrontendKey) => frontendTag(key) & (frontendLines.count - 1);
      const edits = [6, 17].map((protocol) => {
        const one = frontend(maps, "10.96.0.1", "10.96.0.2", protocol);
        const neighbours: (readonly [workload.FrontendKey, workload.Frontend])[] = [];
        for (let i = 0; neighbours.length < 2; i++) {
          const vip = `10.${100 + (i >> 16)}.${i >> 8 & 0xff}.${i & 0xff}`;
          const neighbour = frontend(maps, vip, "10.96.0.4", protocol);
          if (lineOf(neighbour[0]) === lineOf(one[0])) neighbours.push(neighbour);
        }
        const before = frontend(maps, "10.96.0.1", "10.96.0.1", protocol);
        const several = frontend(maps, "10.96.0.1", "10.96.0.3", protocol);
        return { one, several, before, neighbours };
      });
      finish(frontendLines.fill(maps.frontends.entries()));
      for (const { several } of edits) maps.frontends.update(...several);
      const results = await connectWhile(() => {
        for (const { several, one, neighbours } of edits) {
          frontendLines.put([several]);
          frontendLines.delete([one[0]]);
          frontendLines.put(neighbours);
        }
      }, () => {
        for (const { one, neighbours } of edits) {
          frontendLines.delete(neighbours.map(([key]) => key));
          frontendLines.put([one]);
        }
      });
      for (const { before } of edits) maps.frontends.update(...before);
      finish(frontendLines.fill(maps.frontends.entries()));
      assertServers(results, "a", "b", "c");
    }));

  it("an entry of a record: every connection reaches one of the two endpoints", () =>
    withMaps(async (maps, shim) => {
      const recordOf = (vip: string) => {
        const { tier } = maps.services.lookup(maps.frontends.lookup(keyOf(vip, 6))!.servicePort)!;
        const fd = openMapById(shim, maps.records.lookup(tier.slot)!)!;
        return new ArrayMap(shim, fd, { name: "record", value: workload.recordEntry });
      };
      using record = recordOf("10.96.0.1");
      using foreign = recordOf("10.96.0.3");
      const [own, other] = [record.lookup(0)!, foreign.lookup(0)!];
      const results = await connectWhile(
        () => record.storeMany([[0, other]]),
        () => record.storeMany([[0, own]]),
      );
      for (const { servers } of results) {
        assert.equal(Object.keys(servers).length, 2);
        assert.ok(servers.a > 0 && !servers.d);
      }
    }));
});

describeKernel("sockets that come and go", () => {
  const vips = Array.from({ length: 8 }, (_, i) => `10.96.1.${i + 1}`);
  const world = useWorld({
    services: Object.fromEntries(
      vips.map((vip, i) => [`s${i}`, { vips: [vip], members: members("a", "b") }]),
    ),
  });

  describe("are shown their own VIP, whoever had their memory before", () => {
    for (const kinds of [["tcp4", "tcp4"], ["udp4", "send4"], ["tcp4", "udp4"]] as const) {
      it(kinds.join(" beside "), async () => {
        const { net } = world();
        const halves = [vips.slice(0, 4), vips.slice(4)];
        const results = await Promise.all(
          kinds.map((kind, i) =>
            net.hammer({
              kind,
              targets: halves[i].map((vip) => at(vip, 80)),
              count: repetitions(20_000, 2_000),
            })
          ),
        );
        for (const result of results) {
          for (const { target, peer } of flawless(result).answers) assert.equal(peer, target);
        }
      });
    }
  });
});
