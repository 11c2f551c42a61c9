import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  assertSpread,
  at,
  describeKernel,
  eventually,
  flawless,
  type HammerResult,
  members,
  rate,
  repetitions,
  type Services,
  useWorld,
} from "../kit/mod.ts";

const perSecond = rate(1000);

/** Four states; each changes something else: members, weights, target ports, VIPs, services. */
const states: Services[] = [
  { web: { vips: ["10.96.0.1", "fd96::1"], members: members("a", "b") } },
  { web: { vips: ["10.96.0.1", "fd96::1"], members: { c: { capacity: 3 }, d: {} } } },
  {
    web: {
      vips: ["10.96.0.1", "fd96::1"],
      ports: { 80: 9090 },
      members: { a: { ports: { 80: 8080 } }, c: {}, d: { status: "Unhealthy" } },
    },
    more: { vips: ["10.96.0.2"], members: members("a", "b", "c", "d") },
  },
  {
    // Another service, which owns the VIP now.
    other: { vips: ["10.96.0.1", "fd96::1"], ports: { 80: 9090, 81: 8080 }, members: members("b") },
    more: { vips: ["10.96.0.2"], members: members("d") },
  },
];

/** Asserts that a hammer did nearly as much as it was told to. */
function kept(pace: number, { attempts, elapsedMs }: HammerResult): void {
  const wanted = pace * elapsedMs / 1000;
  assert.ok(attempts >= 0.9 * wanted, `only ${attempts} of ${wanted.toFixed(0)} connections were made`);
}

describeKernel("a reload under traffic", () => {
  const world = useWorld({
    servers: { a: [8080, 9090], b: [8080, 9090], c: [8080, 9090], d: [8080, 9090] },
    services: states[0],
  });

  it(`100 reloads, ${perSecond} connections a second: none fails`, async () => {
    const { net, agent } = world();
    await using stream = await net.startHammer({ kind: "tcp4", targets: [at("10.96.0.1", 80)], perSecond });
    await using datagrams = await net.startHammer({
      kind: "send6",
      targets: [at("fd96::1", 80)],
      perSecond: rate(200),
      reuse: true,
    });
    for (let i = 1; i <= 100; i++) await agent.reload(states[i % states.length]);
    const tcp = flawless(await stream.stop());
    kept(perSecond, tcp);
    assert.deepEqual(Object.keys(tcp.servers).toSorted(), ["a", "b", "c", "d"]);
    assert.deepEqual(Object.keys(tcp.peers), [at("10.96.0.1", 80)]);
    const udp = flawless(await datagrams.stop());
    assert.deepEqual(Object.keys(udp.peers), [at("fd96::1", 80)]);
    const { flushes } = await agent.status();
    assert.equal(flushes, 101);
  });

  it("from the moment that it is flushed, only the new endpoints are chosen", async () => {
    const { net, agent } = world();
    for (const [state, weights] of [[states[1], { c: 3, d: 1 }], [states[2], { a: 1, c: 1 }]] as const) {
      await agent.reload(state);
      const count = repetitions(1000, 400);
      const result = await net.hammer({ kind: "tcp6", targets: [at("fd96::1", 80)], count });
      assertSpread(flawless(result).servers, weights);
    }
  });

  it("a service that is gone is not served any more", async () => {
    const { net, agent } = world();
    await agent.reload(states[2]);
    flawless(await net.hammer({ kind: "tcp4", targets: [at("10.96.0.2", 80)], count: 20 }));
    await agent.reload(states[0]);
    await using sockets = await net.sockets();
    const socket = await sockets.open("tcp4", 200);
    await assert.rejects(socket.connect(at("10.96.0.2", 80)), { code: "EINPROGRESS" });
  });

  it("a file that is refused changes nothing, status says so, and a good one ends that", async () => {
    const { net, agent } = world();
    await agent.reload(states[0]);
    const { flushes } = await agent.status();
    const refusals = () => agent.log.filter(({ msg }) => /mesh file is refused/.test(msg)).length;
    for (const text of ["", "services: [", "services: []\nsurprise: 1\n", "[".repeat(100_000)]) {
      const before = refusals();
      await agent.writeMesh(text);
      await eventually("the file is refused", () => refusals() > before);
      const status = await agent.status();
      assert.deepEqual([status.ready, status.flushes], [true, flushes]);
      assert.match(status.errors.join(), /mesh file is refused, the old configuration stays in force/);
      const result = await net.hammer({ kind: "tcp4", targets: [at("10.96.0.1", 80)], count: 50 });
      assert.deepEqual(Object.keys(flawless(result).servers).toSorted(), ["a", "b"]);
    }
    await agent.reload(states[1]);
    assert.deepEqual((await agent.status()).errors, []);
    agent.log.splice(0); // the refusals were expected
  });
});
