import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Choice } from "../../src/mesh/mod.ts";
import {
  at,
  describeKernel,
  eventually,
  flawless,
  rate,
  type RemoteSocket,
  type Sockets,
} from "../kit/mod.ts";
import { type ChosenWorld, createChosenWorld, port, type Weights } from "./_chosen_world.ts";

/** So many are looked at that both of two endpoints are among them. */
const leastRequest: Choice = { kind: "leastRequest", choices: 32 };
const [vip4, vip6] = ["10.96.5.1", "fd96::5:1"];

/** Opens connections one after the other, and keeps them. */
async function hold(sockets: Sockets, vip: string, count: number): Promise<RemoteSocket[]> {
  const { sockets: held, error } = await sockets.openMany(
    vip.includes(":") ? "tcp6" : "tcp4",
    count,
    at(vip, port),
  );
  assert.equal(error, undefined);
  return held;
}

async function serverOf(socket: RemoteSocket): Promise<string> {
  return (await socket.ask("who")).server;
}

async function becomes(world: ChosenWorld, vip: string, wanted: Record<string, number>): Promise<void> {
  await eventually(`there are ${JSON.stringify(wanted)}`, () => {
    const is = world.connections(vip);
    return Promise.resolve(Object.entries(wanted).every(([server, count]) => is[server] === count));
  });
}

describeKernel("the endpoint with the fewest connections", () => {
  it("is chosen, v4 and v6: connections that stay are even, and those that end make room", async () => {
    await using world = await createChosenWorld();
    await using sockets = await world.net.sockets();
    for (const vip of [vip4, vip6]) {
      await world.serve(vip, { a: 1, b: 1 }, leastRequest);
      const held = await hold(sockets, vip, 20);
      assert.deepEqual(world.connections(vip), { a: 10, b: 10 });
      const servers = await Promise.all(
        held.map(async (socket) => [await serverOf(socket), socket] as const),
      );
      const ofA = servers.filter(([server]) => server === "a").map(([, socket]) => socket);
      assert.equal(ofA.length, 10, "the count says where they are");
      for (const socket of ofA.slice(0, 6)) await socket.close();
      await becomes(world, vip, { a: 4, b: 10 });
      const next = await hold(sockets, vip, 6);
      for (const socket of next) assert.equal(await serverOf(socket), "a");
      assert.deepEqual(world.connections(vip), { a: 10, b: 10 });
      for (const socket of [...held.filter((socket) => !ofA.slice(0, 6).includes(socket)), ...next]) {
        await socket.close();
      }
      await becomes(world, vip, { a: 0, b: 0 });
    }
  });

  it("is the one with the fewest for its weight", async () => {
    await using world = await createChosenWorld();
    await using sockets = await world.net.sockets();
    await world.serve(vip4, { a: 1, b: 3 }, leastRequest);
    await hold(sockets, vip4, 40);
    const { a, b } = world.connections(vip4);
    assert.equal(a + b, 40);
    assert.ok(a >= 9 && a <= 11, `a has ${a} of 40`);
  });

  it("is not one that took the place of another whose connections are still open", async () => {
    await using world = await createChosenWorld();
    await using sockets = await world.net.sockets();
    await world.serve(vip4, { a: 1, b: 1 }, leastRequest);
    const old = await hold(sockets, vip4, 10);
    const { b } = world.indexes(vip4);
    await world.serve(vip4, { a: 1 }, leastRequest);
    await world.settle();
    await world.serve(vip4, { a: 1, c: 1 }, leastRequest);
    assert.equal(world.indexes(vip4).c, b);
    assert.deepEqual(world.connections(vip4), { a: 5, c: 0 });
    const next = await hold(sockets, vip4, 5);
    for (const socket of next) assert.equal(await serverOf(socket), "c");
    for (const socket of old) await socket.close();
    await becomes(world, vip4, { a: 0, c: 5 });
  });

  it("counts a socket once, whatever it connects to next", async () => {
    await using world = await createChosenWorld();
    await using sockets = await world.net.sockets();
    await world.serve(vip4, { a: 1, b: 1 }, leastRequest);
    const socket = await sockets.open("tcp4");
    const total = () => Object.values(world.connections(vip4)).reduce((sum, count) => sum + count, 0);
    await socket.connect(at(vip4, port));
    assert.equal(total(), 1);
    await socket.disconnect();
    await socket.connect(at(vip4, port));
    assert.equal(total(), 1);
    await socket.disconnect();
    await socket.connect(at("10.96.9.9", port));
    assert.equal(total(), 0);
  });

  it("is known to the next agent, and when the mesh outgrows its maps", async () => {
    await using world = await createChosenWorld();
    await using sockets = await world.net.sockets();
    await world.serve(vip4, { a: 1, b: 1 }, leastRequest);
    const held = await hold(sockets, vip4, 8);
    await world.takeOver();
    assert.deepEqual(world.connections(vip4), { a: 4, b: 4 });
    await world.grow();
    assert.deepEqual(world.connections(vip4), { a: 4, b: 4 });
    for (const socket of held.slice(0, 5)) await socket.close();
    await eventually("five are given back", () => {
      const { a, b } = world.connections(vip4);
      return Promise.resolve(a + b === 3);
    });
    await hold(sockets, vip4, 5);
    assert.deepEqual(world.connections(vip4), { a: 4, b: 4 });
  });

  it("is looked for under traffic while endpoints and weights change: no connection fails", async () => {
    await using world = await createChosenWorld();
    const { net, serve } = world;
    for (const vip of [vip4, vip6]) await serve(vip, { a: 1, b: 1 }, { kind: "leastRequest", choices: 2 });
    await using four = await net.startHammer({
      kind: "tcp4",
      targets: [at(vip4, port)],
      perSecond: rate(500),
    });
    await using six = await net.startHammer({
      kind: "tcp6",
      targets: [at(vip6, port)],
      perSecond: rate(500),
    });
    for (let i = 0; i < 40; i++) {
      const choice: Choice = i % 3 === 0 ? { kind: "random" } : { kind: "leastRequest", choices: 2 };
      const weights: Weights = i % 4 < 2 ? { a: 1, b: 1, c: 1 } : { a: 1, b: 3, d: 2 };
      for (const vip of [vip4, vip6]) await serve(vip, weights, choice);
    }
    for (const hammer of [four, six]) assert.ok(flawless(await hammer.stop()).attempts > 0);
    await serve(vip4, { a: 1, b: 1, c: 1 }, leastRequest);
    await becomes(world, vip4, { a: 0, b: 0, c: 0 });
  });
});
