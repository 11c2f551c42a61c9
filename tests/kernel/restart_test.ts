import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { closeFd, openDirectory, openShim, queryPrograms } from "../../ffi/mod.ts";
import { hooks } from "../../src/dataplane/mod.ts";
import { createCgroup, sleep } from "../../src/host/mod.ts";
import {
  type Answer,
  assertHealthy,
  at,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  members,
  patience,
  rate,
  type RemoteSocket,
  type Services,
  startAgent,
  type TestNet,
} from "../kit/mod.ts";

const vip4 = at("10.96.0.1", 80);
const vip6 = at("fd96::1", 80);
const services: Services = { web: { vips: ["10.96.0.1", "fd96::1"], members: members("a", "b", "c", "d") } };

/** The programs that run for a cgroup, its ancestors' included. */
function programsOn(cgroup: string): number {
  using shim = openShim();
  const fd = openDirectory(shim, cgroup);
  try {
    return hooks.flatMap((hook) => queryPrograms(shim, fd, hook.attachType, hook.name)).length;
  } finally {
    closeFd(shim, fd);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function serves(net: TestNet): Promise<void> {
  for (const [kind, target] of [["tcp4", vip4], ["tcp6", vip6], ["udp4", vip4], ["send6", vip6]] as const) {
    const result = await net.hammer({ kind, targets: [target], count: 100 });
    assert.deepEqual(Object.keys(flawless(result).servers).toSorted(), ["a", "b", "c", "d"]);
    assert.deepEqual(result.peers, { [target]: 100 });
  }
}

async function servesNot(net: TestNet): Promise<void> {
  await using sockets = await net.sockets();
  const socket = await sockets.open("tcp4", 200);
  await assert.rejects(socket.connect(vip4), { code: "EINPROGRESS" });
  const datagrams = await sockets.open("udp6", 200);
  await assert.rejects(datagrams.ask("hello", vip6), { code: "EAGAIN" });
}

describeKernel("when the agent ends", () => {
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    it(`${signal}: traffic goes on, and the next start takes over, with no connection failed`, async () => {
      await using net = await createTestNet();
      await using first = await startAgent(net, { services, name: "same" });
      await using stream = await net.startHammer({
        kind: "tcp4",
        targets: [vip4, vip4],
        perSecond: rate(1000),
      });
      await using sockets = await net.sockets();
      const held: { socket: RemoteSocket; to: string | undefined; first: Answer }[] = [];
      for (let i = 0; i < 16; i++) {
        const socket = await sockets.open("udp6");
        const connected = i % 2 === 0;
        if (connected) await socket.connect(vip6);
        held.push({
          socket,
          to: connected ? undefined : vip6,
          first: await socket.ask("first", connected ? undefined : vip6),
        });
      }
      const keep = async () => {
        for (const { socket, to, first } of held) {
          // A connected socket is asked by name as well: that is what asks the kernel's maps.
          for (const address of [to, vip6]) {
            const { server, from } = await socket.ask("again", address);
            assert.deepEqual({ server, from }, { server: first.server, from: vip6 });
          }
        }
      };

      const status = await first.end(signal);
      assert.equal(signal === "SIGKILL" ? status.signal : status.code, signal === "SIGKILL" ? "SIGKILL" : 0);
      await serves(net);
      await keep();
      const alone = await first.weft("status", "-o", "json");
      assert.equal(alone.code, 1);
      assert.equal(JSON.parse(alone.stdout).ready, false);

      await using second = await startAgent(net, { services, name: "same" });
      assert.ok(second.log.some(({ msg }) => /took over/.test(msg)), "the second agent did not take over");
      await serves(net);
      await keep();
      await second.reload({ web: { vips: ["10.96.0.1", "fd96::1"], members: members("b", "c", "d") } });
      const after = await net.hammer({ kind: "tcp6", targets: [vip6], count: 200 });
      assert.deepEqual(Object.keys(flawless(after).servers).toSorted(), ["b", "c", "d"]);
      flawless(await stream.stop());
      await assertHealthy(second);
    });
  }

  it("killed at any moment of a reload: no connection fails, and the next start puts all in order", async () => {
    await using stack = new AsyncDisposableStack();
    const net = stack.use(await createTestNet());
    const start = async (services: Services) => stack.use(await startAgent(net, { services, name: "same" }));
    /** Where each round removes 200 services and brings 200 others, and the VIP of web changes its endpoints. */
    const generation = (round: number): Services => ({
      web: { vips: ["10.96.0.1"], members: round % 2 === 0 ? members("a", "b") : members("c", "d") },
      ...Object.fromEntries(
        Array.from({ length: 200 }, (_, i) => [
          `g${round % 3}-${i}`,
          { vips: [`10.${97 + round % 3}.0.${i}`], members: members("a", "c") },
        ]),
      ),
    });
    let agent = await start(generation(0));
    const stream = stack.use(await net.startHammer({ kind: "tcp4", targets: [vip4], perSecond: rate(500) }));
    for (let round = 1; round <= 8; round++) {
      await agent.writeMesh(generation(round));
      // It says so just before it flushes, which takes some tens of milliseconds.
      await agent.logged(({ msg }) => /removes 200 of 201 services/.test(msg));
      await sleep(patience(4 * round));
      await agent.end("SIGKILL");
      agent = await start(generation(round));
      await assertHealthy(agent);
      const others = Array.from({ length: 200 }, (_, i) => at(`10.${97 + round % 3}.0.${i}`, 80));
      const result = flawless(await net.hammer({ kind: "tcp4", targets: others, count: 400 }));
      assert.deepEqual(Object.keys(result.servers).toSorted(), ["a", "c"]);
      assert.equal((await agent.status()).maps.find(({ name }) => name === "frontends")?.used, 201 * 3);
    }
    flawless(await stream.stop());
  });
});

describeKernel("a second agent", () => {
  it("on the same pins is refused, names the remedy, and disturbs nothing", async () => {
    await using net = await createTestNet();
    await using first = await startAgent(net, { services, name: "same" });
    await using second = await startAgent(net, { services, name: "same", expectFailure: true });
    const { code } = await second.ended();
    assert.equal(code, 1);
    const said = second.log.map(({ msg }) => msg).join("\n");
    assert.match(said, /another agent runs with the pin root .*stop it first/s);
    assert.doesNotMatch(said, /\bat .*\.ts:\d+/); // no stack trace
    await serves(net);
    await assertHealthy(first);
  });

  it("with pins of its own runs beside it", async () => {
    await using net = await createTestNet();
    await using below = createCgroup(net.cgroup.path, "below");
    await using first = await startAgent(net, { services });
    await using second = await startAgent(net, {
      cgroup: below.path,
      services: { other: { vips: ["10.97.0.1"], members: members("a") } },
    });
    await serves(net);
    const place = { ...net.client, cgroup: below.path };
    const result = await net.hammer(
      { kind: "tcp4", targets: [vip4, at("10.97.0.1", 80)], count: 200 },
      place,
    );
    assert.equal(flawless(result).attempts, 200);
    await assertHealthy(first);
    await assertHealthy(second);
  });
});

describeKernel("weft detach", () => {
  it("is refused while the agent runs, and removes everything afterwards", async () => {
    await using net = await createTestNet();
    await using agent = await startAgent(net, { services });
    assert.equal(programsOn(net.cgroup.path), hooks.length);
    const tooEarly = await agent.weft("detach");
    assert.equal(tooEarly.code, 1);
    assert.match(tooEarly.stderr, /an agent runs with the pin root .*stop it first/s);
    await serves(net);

    await agent.end("SIGTERM");
    assert.equal(programsOn(net.cgroup.path), hooks.length);
    const detached = await agent.weft("detach");
    assert.deepEqual([detached.code, detached.stderr], [0, ""]);
    assert.equal(programsOn(net.cgroup.path), 0);
    assert.equal(exists(agent.pinRoot), false);
    await servesNot(net);
    const again = await agent.weft("detach");
    assert.equal(again.code, 0);
  });

  it("--detach does the same at the agent's end", async () => {
    await using net = await createTestNet();
    await using agent = await startAgent(net, { services, args: ["--detach"] });
    await serves(net);
    assert.equal((await agent.end("SIGTERM")).code, 0);
    assert.equal(programsOn(net.cgroup.path), 0);
    assert.equal(exists(agent.pinRoot), false);
    await servesNot(net);
  });

  it("open connections go on", async () => {
    await using net = await createTestNet();
    await using agent = await startAgent(net, { services });
    await using sockets = await net.sockets();
    const socket = await sockets.open("udp4");
    await socket.connect(vip4);
    const { server } = await socket.ask("before");
    await agent.end("SIGTERM");
    await agent.weft("detach");
    // What the kernel connected it to, and nobody names the VIP any more.
    assert.equal((await socket.ask("after")).server, server);
    assert.equal(await socket.peer(), at(net.servers[server].v4, 8080));
  });
});

describeKernel("a link whose cgroup goes", () => {
  it("is severed: status fails and names it, and the next start replaces it and says so", async () => {
    await using net = await createTestNet();
    const path = `${net.cgroup.path}/gone`;
    Deno.mkdirSync(path);
    await using first = await startAgent(net, { services, cgroup: path, name: "same" });
    assert.equal((await first.weft("status")).code, 0);
    Deno.removeSync(path);
    await eventually("status has noticed", async () => (await first.weft("status")).code === 1);
    const status = await first.status();
    assert.equal(status.ready, false);
    assert.ok(status.programs.every(({ state }) => state === "severed"));
    assert.match(status.errors.join("\n"), /connect4.*severed/);

    await using again = createCgroup(net.cgroup.path, "gone");
    // The same name is another cgroup: nothing comes back by itself.
    assert.equal(programsOn(again.path), 0);
    await first.end("SIGTERM");
    await using second = await startAgent(net, { services, cgroup: again.path, name: "same" });
    assert.equal(
      second.log.filter(({ msg }) => /replaced the link on .*its cgroup was removed/.test(msg)).length,
      hooks.length,
    );
    const place = { ...net.client, cgroup: again.path };
    flawless(await net.hammer({ kind: "tcp4", targets: [vip4], count: 50 }, place));
    await assertHealthy(second);
  });

  it("another cgroup is asked for: the links move there, which is said aloud", async () => {
    await using net = await createTestNet();
    await using one = createCgroup(net.cgroup.path, "one");
    await using other = createCgroup(net.cgroup.path, "other");
    const reaches = async (cgroup: string) => {
      await using sockets = await net.sockets({ ...net.client, cgroup });
      const socket = await sockets.open("tcp4", 200);
      return await socket.connect(vip4).then(() => true, () => false);
    };
    await using first = await startAgent(net, { services, cgroup: one.path, name: "same" });
    assert.deepEqual([await reaches(one.path), await reaches(other.path)], [true, false]);
    await first.end("SIGTERM");
    await using second = await startAgent(net, { services, cgroup: other.path, name: "same" });
    assert.deepEqual([await reaches(one.path), await reaches(other.path)], [false, true]);
    assert.equal(
      second.log.filter(({ msg }) => /replaced the link on .*another cgroup/.test(msg)).length,
      hooks.length,
    );
    await assertHealthy(second);
  });
});
