import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { ArrayMap, openPin, openShim, workload } from "../../ffi/mod.ts";
import { pinPaths } from "../../src/dataplane/mod.ts";
import { sleep } from "../../src/host/mod.ts";
import {
  assertSpread,
  at,
  canTellMptcp,
  describeKernel,
  eventually,
  members,
  type RemoteSocket,
  type SocketKind,
  type Sockets,
  type TestAgent,
  useWorld,
} from "../kit/mod.ts";

const vip = (n: number) => `10.96.${n >> 8}.${n & 255}`;
const vip6 = (n: number) => `fd96::${n.toString(16)}`;
/** More than sock_release deletes itself. */
const manyVips = 200;

async function used(agent: TestAgent, map: "socket_peers" | "flows"): Promise<number> {
  const found = (await agent.status()).maps.find(({ name }) => name === map);
  assert.ok(found?.used != null, `status does not say how full ${map} is`);
  return found.used;
}

const services = {
  web: { vips: [vip(1), vip6(1)], members: members("a", "b", "c", "d") },
  many: {
    vips: Array.from({ length: manyVips }, (_, i) => vip(i + 256)),
    members: members("a", "b", "c", "d"),
  },
};

describeKernel("what sockets remember is gone when they are closed", () => {
  const world = useWorld({ services });

  for (
    const [kind, address] of [["tcp4", vip(1)], ["tcp6", vip6(1)], ["udp4", vip(1)], [
      "udp6",
      vip6(1),
    ]] as const
  ) {
    it(`connected: ${kind}`, async () => {
      const { net, agent } = world();
      const before = await used(agent, "socket_peers");
      {
        await using sockets = await net.sockets();
        const { sockets: open } = await sockets.openMany(kind, 100, at(address, 80));
        assert.equal(open.length, 100);
        assert.equal(await used(agent, "socket_peers"), before + 100);
        await open[0].close();
        await eventually(
          "socket_peers is back",
          async () => await used(agent, "socket_peers") === before + 99,
          2000,
        );
      }
      await eventually(
        "socket_peers is back",
        async () => await used(agent, "socket_peers") === before,
        2000,
      );
    });
  }

  it("connected by MPTCP: nothing is remembered, as nobody is told when it ends", async (t) => {
    if (!canTellMptcp()) return console.log(`not tried on this kernel: ${t.name}`);
    const { net, agent } = world();
    const before = await used(agent, "socket_peers");
    await using sockets = await net.sockets();
    const { sockets: open } = await sockets.openMany("mptcp4", 20, at(vip(1), 80));
    assert.equal(open.length, 20);
    assert.equal(await used(agent, "socket_peers"), before);
  });

  it("connected, refused or never answered: nothing is kept", async () => {
    const { net, agent } = world();
    const before = await used(agent, "socket_peers");
    await using sockets = await net.sockets();
    const socket = await sockets.open("tcp4");
    await assert.rejects(socket.connect(at(vip(1), 81)), { code: "EHOSTUNREACH" });
    assert.equal(await used(agent, "socket_peers"), before);
  });

  it("a socket that turns to an address of its own is shown no VIP any more", async () => {
    const { net, agent } = world();
    const before = await used(agent, "socket_peers");
    await using sockets = await net.sockets();
    const socket = await sockets.open("udp4");
    await socket.connect(at(vip(1), 80));
    assert.equal(await used(agent, "socket_peers"), before + 1);
    await socket.connect(at(net.servers.a.v4, 8080));
    assert.equal(await socket.peer(), at(net.servers.a.v4, 8080));
    assert.equal(await used(agent, "socket_peers"), before);
  });

  it("unconnected UDP with some VIPs: at once", async () => {
    const { net, agent } = world();
    const before = await used(agent, "flows");
    {
      await using sockets = await net.sockets();
      for (let i = 0; i < 10; i++) {
        const socket = await sockets.open("udp4");
        for (let n = 0; n < 3; n++) await socket.ask("hello", at(vip(256 + n), 80));
      }
      assert.ok(await used(agent, "flows") >= before + 10 * (1 + 3 + 1), "the sockets remember nothing");
    }
    await eventually("flows is back", async () => await used(agent, "flows") === before, 2000);
  });

  it(`unconnected UDP with ${manyVips} VIPs: the rest is swept up later`, async () => {
    const { net, agent } = world();
    const before = await used(agent, "flows");
    let most: number;
    {
      await using sockets = await net.sockets();
      const socket = await sockets.open("udp4");
      for (let n = 0; n < manyVips; n++) await socket.ask("hello", at(vip(256 + n), 80));
      most = await used(agent, "flows");
      assert.ok(most >= before + 1 + manyVips, `only ${most - before} flows for ${manyVips} VIPs`);
    }
    await eventually("flows is back", async () => await used(agent, "flows") === before, 25_000);
  });

  it("the agent sweeps nothing that an open socket needs", async () => {
    const { net, agent } = world();
    await using sockets = await net.sockets();
    const socket = await sockets.open("udp4");
    const targets = Array.from({ length: 20 }, (_, n) => at(vip(256 + n), 80));
    const before = await Promise.all([]).then(async () => {
      const servers: string[] = [];
      for (const target of targets) servers.push((await socket.ask("1", target)).server);
      return servers;
    });
    const flows = await used(agent, "flows");
    await sleep(11_000); // the sweep comes every 10 s
    assert.equal(await used(agent, "flows"), flows);
    for (const [i, target] of targets.entries()) {
      const { server, from } = await socket.ask("2", target);
      assert.deepEqual({ server, from }, { server: before[i], from: target });
    }
  });
});

describeKernel("when the state of connected sockets is full", () => {
  const world = useWorld({ services, args: ["--max-sockets", "64"] });

  it("connects are balanced all the same, getpeername shows the endpoint, and status says so", async () => {
    const { net, agent } = world();
    await using sockets = await net.sockets();
    const { sockets: open, error } = await sockets.openMany("tcp4", 400, at(vip(1), 80));
    assert.deepEqual([open.length, error], [400, undefined]);
    const servers: Record<string, number> = {};
    let remembered = 0;
    for (const socket of open) {
      const { server } = await socket.receive();
      servers[server] = (servers[server] ?? 0) + 1;
      const peer = await socket.peer();
      if (peer === at(vip(1), 80)) remembered++;
      else assert.equal(peer, at(net.servers[server].v4, 8080));
    }
    assertSpread(servers, { a: 1, b: 1, c: 1, d: 1 });
    assert.ok(remembered >= 64 && remembered < 128, `${remembered} of 400 sockets were remembered, of 64`);
    const { counters, warnings, ready } = await agent.status();
    assert.equal(counters.state_full, 400 - remembered);
    assert.ok(ready);
    assert.ok(
      warnings.some((warning) => /per-socket state was full: \d+ connects.*--max-sockets/.test(warning)),
    );
  });

  it("connected UDP is balanced too", async () => {
    const { net } = world();
    await using sockets = await net.sockets();
    const { sockets: open } = await sockets.openMany("udp6", 100, at(vip6(1), 80));
    assert.equal(open.length, 100);
    for (const socket of open) assert.match((await socket.ask("hello")).server, /^[a-d]$/);
  });
});

describeKernel("when the state of connected sockets is nearly full", () => {
  const world = useWorld({ services, args: ["--max-sockets", "256"] });

  /** The whole table, as the kernel holds it. */
  function readBuckets(): { cookies: number; displaced: number[] } {
    using shim = openShim();
    using map = new ArrayMap(
      shim,
      openPin(shim, `${pinPaths(world().agent.pinRoot).sockets}/socket_buckets`)!,
      {
        name: "socket_buckets",
        value: workload.socketBucket,
      },
    );
    const buckets = [...map.entries()].map(([, bucket]) => bucket);
    return {
      cookies: buckets.flatMap(({ cookies }) => cookies).filter((cookie) => cookie !== 0n).length,
      displaced: buckets.map(({ displaced }) => displaced).filter((count) => count !== 0),
    };
  }

  it("sockets come and go from two processes: each is shown its own VIP, and in the end nothing is left", async () => {
    const { net, agent } = world();
    assert.deepEqual(readBuckets(), { cookies: 0, displaced: [] });
    let displacements = 0;
    {
      await using one = await net.sockets();
      await using other = await net.sockets();
      await Promise.all([[one, "tcp4"], [other, "udp4"]].map(async ([sockets, kind], which) => {
        let open: { socket: RemoteSocket; vip: string }[] = [];
        for (let round = 0; round < 30; round++) {
          const target = at(vip(256 + (round * 2 + which) % manyVips), 80);
          const { sockets: more } = await (sockets as Sockets).openMany(
            kind as SocketKind,
            110 - open.length,
            target,
          );
          open.push(...more.map((socket) => ({ socket, vip: target })));
          for (const { socket, vip } of open.filter((_, i) => i % 10 === round % 10)) {
            // Where there was no room for it, it sees its endpoint.
            const peer = await socket.peer();
            assert.ok(peer === vip || /^10\.77\.1\.\d:8080$/.test(peer), `${peer} instead of ${vip}`);
          }
          displacements += readBuckets().displaced.length;
          const closing = open.filter((_, i) => (i * 7 + round) % 3 === 0);
          for (const { socket } of closing) await socket.close();
          open = open.filter((one) => !closing.includes(one));
        }
      }));
    }
    assert.ok(displacements > 0, "the table was never crowded");
    await eventually("all is forgotten", () => readBuckets().cookies === 0);
    assert.deepEqual(readBuckets(), { cookies: 0, displaced: [] });
    assert.equal(await used(agent, "socket_peers"), 0);
  });
});

describeKernel("when the state of unconnected UDP sockets is full", () => {
  const world = useWorld({ services, args: ["--max-flows", "64"] });

  it("a first send fails with ENOBUFS, status says so, and who is remembered goes on", async () => {
    const { net, agent } = world();
    await using sockets = await net.sockets();
    const first = await sockets.open("udp4");
    const { server } = await first.ask("first", at(vip(1), 80));
    let failed = 0;
    for (let i = 0; i < 60; i++) {
      const socket = await sockets.open("udp4");
      const error = await socket.sendTo("hello", at(vip(1), 80)).then(() => undefined, (error) => error.code);
      if (error === undefined) assert.match((await socket.receive()).server, /^[a-d]$/);
      else {
        assert.equal(error, "ENOBUFS");
        failed++;
      }
    }
    assert.ok(failed >= 20, `only ${failed} of 60 sockets found 64 entries full`);
    const again = await first.ask("again", at(vip(1), 80));
    assert.deepEqual({ server: again.server, from: again.from }, { server, from: at(vip(1), 80) });
    const { counters, warnings } = await agent.status();
    assert.equal(counters.send_refused_full, failed);
    assert.ok(warnings.some((warning) => /UDP sends were refused.*--max-flows/.test(warning)));
  });

  it("connected UDP and TCP do not mind", async () => {
    const { net } = world();
    await using sockets = await net.sockets();
    for (const kind of ["tcp4", "udp4"] as const) {
      const { sockets: open } = await sockets.openMany(kind, 50, at(vip(1), 80));
      assert.equal(open.length, 50);
      for (const socket of open) assert.equal(await socket.peer(), at(vip(1), 80));
    }
  });
});
