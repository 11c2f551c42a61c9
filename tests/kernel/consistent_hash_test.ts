import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Choice } from "../../src/mesh/mod.ts";
import { at, describeKernel, flawless, rate, type TestNet } from "../kit/mod.ts";
import { type ChosenWorld, createChosenWorld, port } from "./_chosen_world.ts";

const choices: readonly Choice[] = [
  { kind: "ringHash", minimumSize: 1024, maximumSize: 8_388_608 },
  { kind: "maglev", tableSize: 65_537 },
];
const vips = { 4: "10.96.6.1", 6: "fd96::6:1" } as const;
type Family = keyof typeof vips;

/** Client addresses of each family. */
const clients = Array.from({ length: 120 }, (_, i) => ({ 4: `10.77.2.${i + 1}`, 6: `fd77::2:${i + 1}` }));

async function addClients(net: TestNet): Promise<void> {
  const route = await net.run(["ip", "route", "get", net.servers.a.v4]);
  const device = route.match(/ dev (\S+)/)![1];
  const add = (address: string, ...flags: string[]) =>
    net.run(["ip", "addr", "add", address, "dev", device, ...flags]);
  for (const client of clients) {
    await add(`${client[4]}/32`);
    await add(`${client[6]}/128`, "nodad");
  }
}

/** Who answers each client. */
async function serversOf({ net }: ChosenWorld, family: Family): Promise<string[]> {
  await using sockets = await net.sockets();
  const servers: string[] = [];
  for (const client of clients) {
    const socket = await sockets.open(family === 4 ? "tcp4" : "tcp6");
    await socket.bind(at(client[family], 0));
    await socket.connect(at(vips[family], port));
    servers.push((await socket.ask("who")).server);
    await socket.close();
  }
  return servers;
}

const share = (servers: readonly string[], server: string) =>
  servers.filter((one) => one === server).length / servers.length;

describeKernel("endpoints by the client's address", () => {
  for (const choice of choices) {
    it(`${choice.kind}: each client has one, shares are as the weights, and few clients move`, async () => {
      await using world = await createChosenWorld();
      await addClients(world.net);
      for (const family of [4, 6] as const) {
        const vip = vips[family];
        await world.serve(vip, { a: 1, b: 1, c: 1, d: 1 }, choice);
        const before = await serversOf(world, family);
        assert.deepEqual(await serversOf(world, family), before, "the same again");
        for (const server of "abcd") {
          assert.ok(Math.abs(share(before, server) - 0.25) < 0.15, `${server}: ${share(before, server)}`);
        }
        await world.takeOver();
        assert.deepEqual(await serversOf(world, family), before, "the same after another agent took over");
        await world.serve(vip, { a: 1, b: 1, c: 1 }, choice);
        const after = await serversOf(world, family);
        const moved = before.filter((server, i) => server !== "d" && server !== after[i]).length;
        // The ring has more points of each than before, as it has at least so many; at random it were two thirds.
        assert.ok(moved <= clients.length * 0.2, `${moved} others moved`);
        await world.serve(vip, { a: 1, b: 1, c: 1, d: 1 }, choice);
        assert.deepEqual(await serversOf(world, family), before, "back again");
        await world.serve(vip, { a: 1, b: 7 }, choice);
        const weighted = share(await serversOf(world, family), "b");
        assert.ok(weighted > 0.75 && weighted < 0.98, `b, 7 of 8, has ${weighted}`);
      }
    });

    it(`${choice.kind}: a socket without an address of its own has its network namespace's endpoint`, async () => {
      await using world = await createChosenWorld();
      await world.serve(vips[4], { a: 1, b: 1, c: 1, d: 1 }, choice);
      const targets = [at(vips[4], port)];
      const mine = flawless(await world.net.hammer({ kind: "tcp4", targets, count: 50 }));
      assert.equal(Object.keys(mine.servers).length, 1, JSON.stringify(mine.servers));
    });
  }

  it("change under traffic without a failed connection, whatever they were chosen by before", async () => {
    await using world = await createChosenWorld();
    const { net, serve } = world;
    const all: readonly Choice[] = [...choices, { kind: "random" }, { kind: "leastRequest", choices: 3 }];
    await serve(vips[4], { a: 1, b: 2 }, all[0]);
    await using hammer = await net.startHammer({
      kind: "tcp4",
      targets: [at(vips[4], port)],
      perSecond: rate(1000),
    });
    for (let i = 0; i < 40; i++) {
      await serve(vips[4], i % 3 ? { a: 1, b: 2, c: 1 } : { a: 1, d: 1 }, all[i % all.length]);
    }
    assert.ok(flawless(await hammer.stop()).attempts > 0);
  });
});
