/** What the programs make of a limit of connections. The test writes the maps in the agent's place. */

import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { openShim, type Shim, workload } from "../../ffi/mod.ts";
import {
  type MeshMaps,
  openMeshMaps,
  openSocketMaps,
  pinPaths,
  type SocketMaps,
} from "../../src/dataplane/mod.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import {
  at,
  canTellMptcp,
  describeKernel,
  eventually,
  members,
  type RemoteSocket,
  type SocketKind,
  useWorld,
} from "../kit/mod.ts";

const vips = { tcp4: "10.96.0.1", tcp6: "fd96::1" } as const;
const elsewhere = "10.96.0.2";

/** As `tie` in bpf/lb.h. */
const tie = (value: number) => Math.imul(value, 0x9e3779b1) >>> 0;

interface Kernel {
  readonly maps: MeshMaps;
  readonly sockets: SocketMaps;
}

function openKernel(shim: Shim, pinRoot: string): Kernel {
  const paths = pinPaths(pinRoot);
  const maps = openMeshMaps(shim, paths.maps);
  assert.ok(maps, "the agent has pinned its maps");
  return { maps, sockets: openSocketMaps(shim, paths.sockets, { peers: 1, flows: 1, connectionLimits: 64 }) };
}

/** The most connections under a limit. */
function putLimit({ sockets }: Kernel, id: number, most: number): void {
  sockets.connectionLimits.update(id, { most, tag: (id ^ tie(most)) >>> 0 });
}

/** Nobody listens where `closed` leads. */
const ports = { 80: 8080, 81: 9999 };
const [web, closed] = [80, 81];

/** Changes the service ports that the VIPs' TCP ports lead to. */
function changePorts(
  { maps }: Kernel,
  addresses: readonly string[],
  change: Partial<workload.ServicePort>,
): void {
  for (const address of addresses) {
    for (const port of [web, closed]) {
      const frontend = maps.frontends.lookup({ address: addressToBytes(address), port, protocol: 6 });
      assert.ok(frontend, `${address} has a frontend`);
      const before = maps.services.lookup(frontend.servicePort)!;
      maps.services.storeMany([[frontend.servicePort, { ...before, ...change }]]);
    }
  }
}

describeKernel("a limit of connections", () => {
  const world = useWorld({
    services: {
      web: { vips: Object.values(vips), ports, members: members("a", "b") },
      free: { vips: [elsewhere], members: members("a", "b") },
    },
  });
  let nextId = 1;

  /** Puts both VIPs of `web` under a limit of their own. */
  async function withLimit(
    most: number,
    test: (limit: {
      active: () => bigint;
      put: (most: number) => void;
      remove: () => void;
      inTurn: () => void;
    }) => Promise<void>,
  ): Promise<void> {
    using shim = openShim();
    const kernel = openKernel(shim, world().agent.pinRoot);
    const id = nextId++;
    kernel.sockets.activeConnections.update(id, 0n);
    putLimit(kernel, id, most);
    const change = (change: Partial<workload.ServicePort>) =>
      changePorts(kernel, Object.values(vips), change);
    change({ limit: id });
    const remove = () => change({ limit: 0, flags: 0 });
    const active = () => kernel.sockets.activeConnections.lookup(id)!;
    try {
      const inTurn = () => change({ flags: workload.serviceFlag.SERVICE_ROUND_ROBIN });
      await test({ active, put: (most) => putLimit(kernel, id, most), remove, inTurn });
      await eventually("all is given back", () => Promise.resolve(active() === 0n));
    } finally {
      remove();
    }
    const buckets = [...kernel.sockets.buckets.entries()];
    assert.ok(buckets.every(([, { holders }]) => holders === 0), "no bucket counts a holder");
  }

  const refused = { code: "ECONNREFUSED" };

  it("lets as many through, v4 and v6 together, and refuses the next until one is closed", async () => {
    await withLimit(4, async ({ active }) => {
      const { net, agent } = world();
      await using sockets = await net.sockets();
      const connect = async (kind: "tcp4" | "tcp6") => {
        const socket = await sockets.open(kind);
        await socket.connect(at(vips[kind], 80));
        return socket;
      };
      const before = (await agent.status()).counters;
      const open = [
        await connect("tcp4"),
        await connect("tcp6"),
        await connect("tcp4"),
        await connect("tcp6"),
      ];
      assert.equal(active(), 4n);
      await assert.rejects(connect("tcp4"), refused);
      await assert.rejects(connect("tcp6"), refused);
      assert.equal(active(), 4n);
      await open[1].close();
      await eventually("one is given back", () => Promise.resolve(active() === 3n));
      await connect("tcp4");
      await assert.rejects(connect("tcp6"), refused);
      const after = (await agent.status()).counters;
      assert.equal(after.tcp_refused - before.tcp_refused, 3);
      assert.equal(after.tcp_over_limit - before.tcp_over_limit, 3);
    });
  });

  it("counts a socket once, however often and wherever it connects", async () => {
    await withLimit(1, async ({ active }) => {
      await using sockets = await world().net.sockets();
      const socket = await sockets.open("tcp4");
      const turnTo = async (address: string, port = 80) => {
        await socket.disconnect();
        await socket.connect(at(address, port));
      };
      await socket.connect(at(vips.tcp4, 80));
      await turnTo(vips.tcp4);
      assert.equal(active(), 1n);
      await turnTo(elsewhere);
      assert.equal(active(), 0n);
      await turnTo(vips.tcp4);
      assert.equal(active(), 1n);
      await turnTo(world().net.servers.a.v4, 8080);
      assert.equal(active(), 0n);
    });
  });

  it("a connect that is refused gives back what the socket held", async () => {
    await withLimit(1, async ({ active, put }) => {
      await using sockets = await world().net.sockets();
      const socket = await sockets.open("tcp4");
      await socket.connect(at(vips.tcp4, 80));
      put(0);
      await socket.disconnect();
      await assert.rejects(socket.connect(at(vips.tcp4, 80)), refused);
      assert.equal(active(), 0n);
      put(1);
      await socket.connect(at(vips.tcp4, 80));
      assert.equal(active(), 1n);
      await socket.disconnect();
      await assert.rejects(socket.connect(at(vips.tcp4, 82)), { code: "EHOSTUNREACH" });
      assert.equal(active(), 0n);
    });
  });

  it("is raised, lowered and removed under connections", async () => {
    await withLimit(1, async ({ active, put, remove }) => {
      await using sockets = await world().net.sockets();
      const open: RemoteSocket[] = [];
      const connect = async () => {
        const socket = await sockets.open("tcp4");
        await socket.connect(at(vips.tcp4, 80));
        open.push(socket);
      };
      await connect();
      await assert.rejects(connect(), refused);
      put(3);
      await connect();
      await connect();
      await assert.rejects(connect(), refused);
      put(2);
      await open[0].close();
      await eventually("one is given back", () => Promise.resolve(active() === 2n));
      await assert.rejects(connect(), refused);
      remove();
      await connect();
      assert.equal(active(), 2n);
    });
  });

  for (const family of [4, 6] as const) {
    const address = at(vips[`tcp${family}`], web);

    it(`counts a socket until it is closed or connected again, whatever becomes of its connection: IPv${family}`, async () => {
      await withLimit(2, async ({ active }) => {
        await using sockets = await world().net.sockets();
        const socket = await sockets.open(`tcp${family}`);
        await socket.connect(address);
        await assert.rejects(socket.connect(address), { code: "EISCONN" });
        assert.equal(active(), 1n);
        await socket.disconnect();
        assert.equal(active(), 1n);
        const failing = await sockets.open(`tcp${family}`);
        await failing.nonBlocking();
        for (let attempt = 0; attempt < 3; attempt++) {
          await assert.rejects(failing.connect(at(vips[`tcp${family}`], closed)), { code: "EINPROGRESS" });
          await assert.rejects(failing.connected(), refused);
          // Linux says so once before it takes the next one.
          await assert.rejects(failing.connect(at(vips[`tcp${family}`], closed)), { code: "ECONNABORTED" });
          assert.equal(active(), 2n);
        }
        await failing.close();
        await eventually("one is given back", () => Promise.resolve(active() === 1n));
      });
    });

    it(`TCP Fast Open counts, and is refused: IPv${family}`, async () => {
      await withLimit(1, async ({ active }) => {
        await using sockets = await world().net.sockets();
        const socket = await sockets.open(`tcp${family}`);
        await socket.fastOpen("first", address);
        assert.equal(active(), 1n);
        const next = await sockets.open(`tcp${family}`);
        await assert.rejects(next.fastOpen("first", address), refused);
      });
    });
  }

  it("takes nobody's turn with a connect that it refuses", async () => {
    await withLimit(1, async ({ inTurn, active }) => {
      inTurn();
      await using sockets = await world().net.sockets();
      const servers: string[] = [];
      for (let i = 0; i < 4; i++) {
        const one = await sockets.open("tcp4");
        await one.connect(at(vips.tcp4, 80));
        servers.push((await one.receive()).server);
        const next = await sockets.open("tcp4");
        await assert.rejects(next.connect(at(vips.tcp4, 80)), refused);
        await one.close();
        await eventually("it is given back", () => Promise.resolve(active() === 0n));
      }
      assert.match(servers.join(""), /^(abab|baba)$/);
    });
  });

  it("counts no MPTCP connection, as nobody is told when one ends, and says so", async (t) => {
    if (!canTellMptcp()) return console.log(`not tried on this kernel: ${t.name}`);
    await withLimit(1, async ({ active }) => {
      const { net, agent } = world();
      await using sockets = await net.sockets();
      const before = (await agent.status()).counters;
      for (const family of [4, 6, 4] as const) {
        const socket = await sockets.open(`mptcp${family}`);
        await socket.connect(at(vips[`tcp${family}`], 80));
        assert.match((await socket.receive()).server, /^[ab]$/);
      }
      assert.equal(active(), 0n);
      const after = (await agent.status()).counters;
      assert.equal(after.not_limited - before.not_limited, 3);
    });
  });

  it("is never exceeded by a storm of connects, and nothing is left of it", async () => {
    await withLimit(20, async ({ active }) => {
      const { net } = world();
      await using stack = new AsyncDisposableStack();
      const processes = await Promise.all(
        Array.from({ length: 6 }, async () => stack.use(await net.sockets())),
      );
      for (let round = 0; round < 20; round++) {
        const kind: SocketKind = round % 2 ? "tcp6" : "tcp4";
        const results = await Promise.all(
          processes.map((sockets) => sockets.openMany(kind, 10, at(vips[kind], 80))),
        );
        const connected = results.flatMap(({ sockets }) => sockets);
        assert.ok(connected.length <= 20, `${connected.length} connections under a limit of 20`);
        assert.ok(connected.length > 0);
        // One that was refused may be open still.
        assert.equal(active(), BigInt(connected.length));
        assert.ok(results.some(({ error }) => error === "ECONNREFUSED"));
        await Promise.all(connected.map((socket) => socket.close()));
        await eventually("all is given back", () => Promise.resolve(active() === 0n));
      }
    });
  });
});
