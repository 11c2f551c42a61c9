import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  type Answer,
  assertHealthy,
  assertSpread,
  at,
  createTestNet,
  describeKernel,
  flawless,
  members,
  rate,
  type RemoteSocket,
  repetitions,
  type Services,
  startAgent,
  useWorld,
} from "../kit/mod.ts";

const all = members("a", "b", "c", "d");

const small = ["--frontends", "8", "--service-ports", "4", "--endpoints", "9", "--records", "4"];

/** The first is always there; the others are more than the maps were made for. */
function meshOf(count: number): Services {
  const more = Array.from({ length: count }, (_, i) => [
    `more-${i}`,
    { vips: [`10.97.${i >> 8}.${i & 255}`, `fd97::${(i + 1).toString(16)}`], members: all },
  ]);
  return { web: { vips: ["10.96.0.1", "fd96::1"], members: all }, ...Object.fromEntries(more) };
}

describeKernel("a mesh larger than the maps", () => {
  const world = useWorld({
    services: meshOf(0),
    args: small,
  });

  it("moves to larger ones, with no connection failed and no UDP socket losing its backend", async () => {
    const { net, agent } = world();
    await using stream = await net.startHammer({
      kind: "tcp4",
      targets: [at("10.96.0.1", 80)],
      perSecond: rate(1000),
    });
    await using datagrams = await net.startHammer({
      kind: "send6",
      targets: [at("fd96::1", 80)],
      perSecond: rate(200),
      reuse: true,
    });
    await using sockets = await net.sockets();
    const held: { socket: RemoteSocket; to: string; first: Answer }[] = [];
    for (let i = 0; i < 16; i++) {
      const socket = await sockets.open(i % 2 === 0 ? "udp4" : "udp6");
      const to = at(i % 2 === 0 ? "10.96.0.1" : "fd96::1", 80);
      if (i % 4 < 2) await socket.connect(to);
      held.push({ socket, to, first: await socket.ask("first", to) });
    }
    const sizeOf = async (map: string) => (await agent.status()).maps.find(({ name }) => name === map)?.size;
    assert.deepEqual([await sizeOf("frontends"), await sizeOf("endpoints")], [8, 9]);

    for (const count of [3, 20, 100, 300]) {
      await agent.reload(meshOf(count));
      for (const { socket, to, first } of held) {
        const { server, from } = await socket.ask("again", to);
        assert.deepEqual({ server, from }, { server: first.server, from: first.from });
      }
    }

    assert.deepEqual(Object.keys(flawless(await stream.stop()).servers).toSorted(), ["a", "b", "c", "d"]);
    assert.equal(Object.keys(flawless(await datagrams.stop()).servers).length, 1);
    assert.ok((await sizeOf("frontends"))! >= 301 * 6);
    assert.ok((await sizeOf("endpoints"))! >= 301 * 8);
    assert.ok(agent.log.filter(({ msg }) => /outgrew the maps/.test(msg)).length >= 3);
  });

  it("what came with it is served", async () => {
    const { net, agent } = world();
    await agent.reload(meshOf(300));
    const targets = Array.from({ length: 300 }, (_, i) => at(`10.97.${i >> 8}.${i & 255}`, 80));
    const result = flawless(await net.hammer({ kind: "tcp4", targets, count: repetitions(3000, 600) }));
    assertSpread(result.servers, { a: 1, b: 1, c: 1, d: 1 });
    assert.equal(Object.keys(result.peers).length, 300);
  });
});

describeKernel("an agent that starts over maps that have grown", () => {
  it("takes them over as they are, though it asks for smaller ones", async () => {
    await using net = await createTestNet();
    await using first = await startAgent(net, { services: meshOf(0), args: small, name: "same" });
    await first.reload(meshOf(100));
    const { maps } = await first.status();
    await first.end("SIGKILL");
    await using second = await startAgent(net, { services: meshOf(100), args: small, name: "same" });
    const sizes = (all: typeof maps) => all.map(({ name, size }) => `${name} ${size}`);
    assert.deepEqual(sizes((await second.status()).maps), sizes(maps));
    assert.deepEqual(second.log.filter(({ msg }) => /outgrew/.test(msg)), []);
    const targets = Array.from({ length: 100 }, (_, i) => at(`10.97.0.${i}`, 80));
    flawless(await net.hammer({ kind: "udp4", targets, count: 400 }));
    await assertHealthy(second);
  });
});
