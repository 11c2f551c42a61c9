import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { ArrayMap, type Codec, hasHelper, openShim, payload, type Shim } from "../../ffi/mod.ts";
import {
  type Datapath,
  type DesiredService,
  type LoadedPrograms,
  loadPrograms,
  nearestTier,
} from "../../src/dataplane/mod.ts";
import { attachPrograms } from "../../src/dataplane/programs.ts";
import { classOf } from "../../src/records/mod.ts";
import {
  at,
  buildSlowReader,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  patience,
  type TestNet,
} from "../kit/mod.ts";
import { createDatapathPlace } from "./_datapath.ts";

/** tests/kit/bpf/slow_reader.h */
interface SlowReader {
  readonly ns: bigint;
  readonly came: bigint;
  readonly went: bigint;
}

const slowReader: Codec<SlowReader> = {
  size: 24,
  read: (view, at) => ({
    ns: view.getBigUint64(at, true),
    came: view.getBigUint64(at + 8, true),
    went: view.getBigUint64(at + 16, true),
  }),
  write: (view, at, { ns, came, went }) =>
    [ns, came, went].forEach((value, i) => view.setBigUint64(at + 8 * i, value, true)),
};

const port = 80;
const tcp = 6;

/** One service port on one VIP, whose endpoints are these servers. */
function desired(net: TestNet, vip: string, servers: string): DesiredService {
  const service = `test/${vip}`;
  const key = `${service}|${port}|4`;
  const endpoints = [...servers].map((server) => ({
    key: server,
    uid: server,
    address: net.servers[server].v4,
    port: 8080,
    weight: 1,
  }));
  return {
    service,
    servicePorts: [{
      key,
      service,
      port,
      family: 4,
      mapped: 1,
      tiers: [{ rank: 0, endpoints, portless: 0 }],
      choice: { kind: "random" },
      connectionLimit: null,
    }],
    frontends: [{ address: vip, port, protocol: tcp, target: { kind: "servicePort", key } }],
    excluded: [],
    left: null,
  };
}

/** The data path of an agent, in this process, with programs that a test can slow down. */
interface SlowWorld extends AsyncDisposable {
  readonly net: TestNet;
  readonly datapath: Datapath;
  readonly slow: ArrayMap<SlowReader>;
  readonly serve: (vip: string, servers: string) => Promise<void>;
  readonly slotOf: (vip: string) => number;
}

/** @param shimOf may put something in the way of the shim's functions */
async function createSlowWorld(shimOf: (shim: Shim) => Shim): Promise<SlowWorld> {
  const object = await buildSlowReader();
  await using stack = new AsyncDisposableStack();
  const shim = shimOf(stack.use(openShim()));
  const servers = Object.fromEntries([..."abcdefgh"].map((name) => [name, [8080]]));
  const net = stack.use(await createTestNet({ servers }));
  const { open, options: { features, cgroup, paths } } = stack.use(
    await createDatapathPlace(shim, net, "slow"),
  );
  const datapath = open();
  stack.defer(() => datapath.close());
  const serve = async (vip: string, servers: string) => {
    const service = desired(net, vip, servers);
    await datapath.flush([[service.service, service]]);
  };
  await serve("10.96.0.1", "ab");
  await datapath.attach();
  const loaded: LoadedPrograms = stack.use(
    await loadPrograms(shim, datapath.maps!, datapath.sockets, {
      ...features,
      ranges: false,
      consecutiveFailures: 0,
    }, object),
  );
  attachPrograms(shim, loaded, cgroup, paths.links);
  await datapath.settle();
  const slow = new ArrayMap(shim, loaded.map("slow_readers"), { name: "slow_readers", value: slowReader });
  const moved = stack.move();
  return {
    net,
    datapath,
    slow,
    serve,
    slotOf: (vip) =>
      nearestTier(datapath.applied.services.get(`test/${vip}`)!.servicePorts.get(`test/${vip}|80|4`)!)!.slot,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/**
 * Lets a reader wait between a tier's word and its record, while the record's service moves to another one and other services take
 * what was free.
 *
 * @returns who answered the reader, and whether it still waited when its record's slot was another service's
 */
async function raceWithSlowReader(shimOf: (shim: Shim) => Shim) {
  await using world = await createSlowWorld(shimOf);
  const { net, datapath, slow, serve, slotOf } = world;
  const { pool } = datapath;
  const target = at("10.96.0.1", port);
  // Nothing may wait for the reader but what must: all that is flushed finds spares.
  await pool.growClass(classOf(2), 8);
  await pool.growClass(classOf(3), 8);
  const { bursts } = pool.counts;
  const slot = slotOf("10.96.0.1");

  slow.update(0, { ns: BigInt(Math.min(patience(500), 5000)) * 1_000_000n, came: 0n, went: 0n });
  const hammer = net.hammer({ kind: "tcp4", targets: [target], count: 1, timeoutMs: patience(10_000) });
  await eventually("a reader waits", () => slow.lookup(0)!.came === 1n);
  await serve("10.96.0.1", "cde");
  assert.notEqual(slotOf("10.96.0.1"), slot);
  const others = Array.from({ length: 6 }, (_, i) => `10.96.1.${i}`);
  let reused: string | undefined;
  let waiting = false;
  // While the reader waits the slot stays its own; once it is free, it is the lowest.
  for (const vip of others) {
    if (vip === others.at(-1)) await datapath.settle();
    await serve(vip, "fg");
    if (slotOf(vip) !== slot) continue;
    waiting = slow.lookup(0)!.went === 0n;
    reused = vip;
    break;
  }
  const { servers } = flawless(await hammer);
  assert.ok(reused, "the slot was not used again");
  assert.equal(pool.counts.bursts, bursts, "a flush waited for the kernel");
  // Whatever the slow reader met, the next ones are right.
  const now = await net.hammer({ kind: "tcp4", targets: [target, at(reused, port)], count: 200 });
  assert.deepEqual(Object.keys(flawless(now).servers).toSorted(), ["c", "d", "e", "f", "g"]);
  return { server: Object.keys(servers)[0], waiting };
}

function hasLoop(): boolean {
  const loop = 181; // BPF_FUNC_loop
  const sockAddr = 18; // BPF_PROG_TYPE_CGROUP_SOCK_ADDR
  using shim = openShim();
  return hasHelper(shim, sockAddr, loop);
}

describeKernel("a reader that dawdles between a service's word and its record", () => {
  const unable = Deno.uid() === 0 && !hasLoop();
  if (unable) console.log("skipped, for this kernel has no bpf_loop (5.17): readers that dawdle");

  it("reaches an old endpoint of its own service: the slot is used again only when it is done", {
    ignore: unable,
  }, async () => {
    const { server, waiting } = await raceWithSlowReader((shim) => shim);
    assert.deepEqual({ old: ["a", "b"].includes(server), waiting }, { old: true, waiting: false });
  });

  it("and this test would notice if nobody waited for it", { ignore: unable }, async () => {
    const { server, waiting } = await raceWithSlowReader((shim) => ({
      ...shim,
      call: { ...shim.call, weft_grace_period: () => Promise.resolve(0) },
    }));
    assert.deepEqual({ foreign: ["f", "g"].includes(server), waiting }, { foreign: true, waiting: true });
  });

  it("is none of the product's programs", { ignore: unable }, async () => {
    const holds = (name: string) => new TextDecoder("latin1").decode(payload(name)).includes("slow_reader");
    const delayed = await buildSlowReader();
    assert.deepEqual([holds(`${delayed}.bpf.o`), holds("workload.bpf.o")], [true, false]);
  });
});
