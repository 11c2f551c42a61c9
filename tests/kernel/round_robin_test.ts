import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { workload } from "../../ffi/mod.ts";
import type { Choice } from "../../src/mesh/mod.ts";
import { at, describeKernel, flawless, type HammerKind, rate } from "../kit/mod.ts";
import { createChosenWorld, port, type Weights } from "./_chosen_world.ts";

const roundRobin: Choice = { kind: "roundRobin" };

/** Each is a service port of its own, and so begins with its first turn. */
const ways: readonly { kind: HammerKind; vip: (n: number) => string }[] = [
  { kind: "tcp4", vip: (n) => `10.96.1.${n}` },
  { kind: "tcp6", vip: (n) => `fd96::1:${n}` },
  { kind: "udp4", vip: (n) => `10.96.2.${n}` },
  { kind: "send6", vip: (n) => `fd96::2:${n}` },
];

describeKernel("endpoints in turn", () => {
  it("those of one weight are chosen equally often, exactly", async () => {
    await using world = await createChosenWorld();
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
    await using world = await createChosenWorld();
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
    await using world = await createChosenWorld();
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
    await using world = await createChosenWorld();
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
