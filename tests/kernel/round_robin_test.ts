import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { closeFd, openDirectory, openShim, workload } from "../../ffi/mod.ts";
import { detachAll } from "../../src/agent/mod.ts";
import { probePublishThreads } from "../../src/agent/publish_threads.ts";
import {
  type Datapath,
  defaultSizes,
  defaultSocketSizes,
  type DesiredService,
  openDatapath,
  pinPaths,
  probeFeatures,
} from "../../src/dataplane/mod.ts";
import { bpffsPath } from "../../src/host/mod.ts";
import { type Choice, familyOf } from "../../src/mesh/mod.ts";
import { defaultWatermarks } from "../../src/records/mod.ts";
import {
  at,
  createTestNet,
  describeKernel,
  flawless,
  type HammerKind,
  rate,
  type TestNet,
} from "../kit/mod.ts";

const port = 80;
const roundRobin: Choice = { kind: "roundRobin" };

type Weights = Readonly<Record<string, number>>;

/** One service port on one VIP, whose endpoints are these servers. */
function desired(net: TestNet, vip: string, weights: Weights, choice: Choice): DesiredService {
  const service = `test/${vip}`;
  const family = familyOf(vip);
  const key = `${service}|${port}|${family}`;
  const endpoints = Object.entries(weights).map(([server, weight]) => ({
    key: server,
    uid: server,
    address: family === 4 ? net.servers[server].v4 : net.servers[server].v6,
    port: 8080,
    weight,
  }));
  return {
    service,
    servicePorts: [{
      key,
      service,
      port,
      family,
      mapped: 1,
      tiers: [{ rank: 0, endpoints, portless: 0 }],
      choice,
      connectionLimit: null,
    }],
    frontends: ([6, 17] as const).map((protocol) => (
      { address: vip, port, protocol, target: { kind: "servicePort", key } }
    )),
    excluded: [],
    left: null,
  };
}

interface World extends AsyncDisposable {
  readonly net: TestNet;
  readonly serve: (vip: string, weights: Weights, choice: Choice) => Promise<void>;
  /** What map services has for a VIP. */
  readonly words: (vip: string) => { id: number; value: workload.ServicePort };
}

/** The data path of an agent, in this process. */
async function createWorld(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const shim = stack.use(openShim());
  const servers = Object.fromEntries([..."abcd"].map((name) => [name, [8080]]));
  const net = stack.use(await createTestNet({ servers }));
  const cgroup = { fd: openDirectory(shim, net.cgroup.path), id: net.cgroup.id };
  stack.defer(() => closeFd(shim, cgroup.fd));
  const paths = pinPaths(`${bpffsPath}/${net.id}-turns`);
  Deno.mkdirSync(paths.root, { mode: 0o700 });
  const datapath: Datapath = openDatapath(shim, {
    paths,
    sizes: defaultSizes,
    socketSizes: defaultSocketSizes,
    cgroup,
    features: probeFeatures(shim),
    publishThreads: await probePublishThreads(shim),
    watermarks: defaultWatermarks,
    maxRecords: defaultSizes.records,
  });
  stack.defer(() => {
    datapath.close();
    detachAll(shim, paths);
  });
  const serve = async (vip: string, weights: Weights, choice: Choice) => {
    const service = desired(net, vip, weights, choice);
    await datapath.flush([[service.service, service]]);
  };
  await serve("10.96.9.9", { a: 1 }, { kind: "random" });
  await datapath.attach();
  const moved = stack.move();
  return {
    net,
    serve,
    words: (vip) => {
      const [{ id }] = datapath.applied.services.get(`test/${vip}`)!.servicePorts.values();
      return { id, value: datapath.maps!.services.lookup(id)! };
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** Each is a service port of its own, and so begins with its first turn. */
const ways: readonly { kind: HammerKind; vip: (n: number) => string }[] = [
  { kind: "tcp4", vip: (n) => `10.96.1.${n}` },
  { kind: "tcp6", vip: (n) => `fd96::1:${n}` },
  { kind: "udp4", vip: (n) => `10.96.2.${n}` },
  { kind: "send6", vip: (n) => `fd96::2:${n}` },
];

describeKernel("endpoints in turn", () => {
  it("those of one weight are chosen equally often, exactly", async () => {
    await using world = await createWorld();
    for (const { kind, vip } of ways) {
      await world.serve(vip(1), { a: 1, b: 1, c: 1, d: 1 }, roundRobin);
      const { servers } = flawless(await world.net.hammer({ kind, targets: [at(vip(1), port)], count: 200 }));
      assert.deepEqual(servers, { a: 50, b: 50, c: 50, d: 50 }, kind);
      // Whoever is left takes the turns of who goes, from the next connection on.
      await world.serve(vip(1), { a: 1, c: 1 }, roundRobin);
      const after = flawless(await world.net.hammer({ kind, targets: [at(vip(1), port)], count: 60 }));
      assert.deepEqual(after.servers, { a: 30, c: 30 }, kind);
    }
  });

  it("one connection after the other: each server in its turn", async () => {
    await using world = await createWorld();
    await world.serve("10.96.3.1", { a: 1, b: 1, c: 1 }, roundRobin);
    const seen: string[] = [];
    for (let i = 0; i < 9; i++) {
      const one = flawless(
        await world.net.hammer({ kind: "tcp4", targets: [at("10.96.3.1", port)], count: 1 }),
      );
      seen.push(...Object.keys(one.servers));
    }
    assert.equal(seen.join(""), "abcabcabc");
  });

  it("weights hold exactly over a power of two of cycles, and nearly where they are no such fractions", async () => {
    await using world = await createWorld();
    for (const { kind, vip } of ways) {
      // Two rows: 128 cycles.
      await world.serve(vip(2), { a: 1, b: 3 }, roundRobin);
      const { servers } = flawless(await world.net.hammer({ kind, targets: [at(vip(2), port)], count: 256 }));
      assert.deepEqual(servers, { a: 64, b: 192 }, kind);
      // Four rows: 256 cycles, and each row may be one off.
      const weights: Weights = { a: 1, b: 2, c: 5, d: 2 };
      await world.serve(vip(3), weights, roundRobin);
      const many = flawless(await world.net.hammer({ kind, targets: [at(vip(3), port)], count: 1024 }));
      for (const [server, weight] of Object.entries(weights)) {
        const off = Math.abs(many.servers[server] - 1024 * weight / 10);
        assert.ok(off <= 4, `${kind}: ${server} is ${off} off: ${JSON.stringify(many.servers)}`);
      }
    }
  });

  it("the choice changes under traffic: one word, the record stays, and no connection fails", async () => {
    await using world = await createWorld();
    const { net, serve, words } = world;
    const [vip4, vip6] = ["10.96.4.1", "fd96::4:1"];
    const flag = workload.serviceFlag.SERVICE_ROUND_ROBIN;
    const all: Weights = { a: 1, b: 1, c: 1, d: 1 };
    for (const vip of [vip4, vip6]) await serve(vip, all, { kind: "random" });
    const first = words(vip4);
    assert.equal(first.value.flags & flag, 0);
    await using tcp = await net.startHammer({
      kind: "tcp4",
      targets: [at(vip4, port)],
      perSecond: rate(500),
    });
    await using udp = await net.startHammer({
      kind: "send6",
      targets: [at(vip6, port)],
      perSecond: rate(500),
    });
    for (const vip of [vip4, vip6]) await serve(vip, all, roundRobin);
    assert.deepEqual(words(vip4), { id: first.id, value: { ...first.value, flags: flag } });
    for (let i = 0; i < 40; i++) {
      const weights: Weights = i % 4 < 2 ? all : { a: 1, b: 3, d: 2 };
      for (const vip of [vip4, vip6]) await serve(vip, weights, i % 2 ? roundRobin : { kind: "random" });
    }
    assert.equal(words(vip4).id, first.id);
    assert.ok(flawless(await tcp.stop()).attempts > 0);
    assert.ok(flawless(await udp.stop()).attempts > 0);
    await serve(vip4, all, roundRobin);
    const { servers } = flawless(
      await net.hammer({ kind: "tcp4", targets: [at(vip4, port)], count: 100 }),
    );
    assert.deepEqual(servers, { a: 25, b: 25, c: 25, d: 25 });
  });
});
