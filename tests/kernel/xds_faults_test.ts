/** Faults of a control plane under live traffic, in both modes: connections that are there, and new ones all the while. */

import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { sleep } from "../../src/host/mod.ts";
import {
  at,
  type ControlPlane,
  createControlPlane,
  createTcpProxy,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  rate,
  repetitions,
  startAgent,
  type TestAgent,
  type TestNet,
} from "../kit/mod.ts";
import { type Conversations, startConversations } from "./_conversations.ts";
import { type MeshTeller, type Mode, tellMesh, type ToldMesh } from "./_told_mesh.ts";

const web = { vips: ["10.96.0.1", "fd96::1"], members: ["a", "b"] };
const old = { vips: ["10.96.0.2", "fd96::2"], members: ["c"] };
const both = { web, old };

interface World {
  readonly net: TestNet;
  readonly plane: ControlPlane;
  readonly teller: MeshTeller;
  readonly agent: TestAgent;
  readonly conversations: Conversations;
  /** Starts another agent in the place of one that was killed, and does not wait until it serves. */
  readonly startNext: () => Promise<TestAgent>;
  /** Stops the control plane, and waits until the agent knows. */
  readonly kill: () => Promise<void>;
  /** Starts it again, and waits until the agent has been told everything. */
  readonly comeBack: () => Promise<void>;
  /** Who answers at a VIP. */
  readonly answerers: (vip: string) => Promise<string[]>;
  /** Waits until exactly these do, over both families. */
  readonly served: (service: ToldMesh[string], by: readonly string[]) => Promise<void>;
}

interface WorldOptions {
  /** Services that new connections are made to all the while: none may fail. */
  readonly hammered: readonly ToldMesh[string][];
  readonly args?: readonly string[];
  /** What the agent dials. @default the control plane */
  readonly dial?: (plane: ControlPlane) => string;
}

/** Runs a test under traffic; at the end no connection may have failed, old or new. */
async function underTraffic(
  mode: Mode,
  { hammered, args, dial = ({ target }) => target }: WorldOptions,
  test: (world: World) => Promise<void>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const net = stack.use(await createTestNet({ talkPort: 8081 }));
  const plane = stack.use(await createControlPlane());
  const teller = tellMesh(plane, mode, net.servers, both);
  const start = async (wait: boolean) =>
    stack.use(await startAgent(net, { xds: { target: dial(plane), mode }, args, name: "faults", wait }));
  const agent = await start(true);
  // It goes first: Deno's HTTP/2 server may abort over a client that cancels its stream and closes the connection at once.
  stack.defer(plane.stop);
  const conversations = stack.use(
    await startConversations(net, [...web.vips, ...old.vips].map((vip) => at(vip, 81))),
  );
  const vips = hammered.flatMap(({ vips }) => vips);
  const hammers = [];
  for (const kind of ["tcp4", "tcp6"] as const) {
    const targets = vips.filter((vip) => vip.includes(":") === (kind === "tcp6")).map((vip) => at(vip, 80));
    hammers.push(stack.use(await net.startHammer({ kind, targets, perSecond: rate(250) })));
  }
  const answerers = async (vip: string) => {
    const kind = vip.includes(":") ? "tcp6" : "tcp4";
    const { servers } = await net.hammer({ kind, targets: [at(vip, 80)], count: 30, timeoutMs: 100 });
    return Object.keys(servers).sort();
  };
  await test({
    ...{ net, plane, teller, agent, conversations, answerers },
    startNext: async () => {
      const next = await start(false);
      stack.defer(plane.stop);
      return next;
    },
    kill: async () => {
      plane.stop();
      await eventually("the agent knows", async () => !(await agent.status()).controlPlane!.connected);
    },
    comeBack: async () => {
      const { told } = teller;
      await plane.start();
      await eventually("the agent was told everything", () => teller.told > told, 20_000);
    },
    served: async ({ vips }, by) => {
      for (const vip of vips) {
        await eventually(
          `${vip} is served by ${by.join(" and ") || "nobody"}`,
          async () => (await answerers(vip)).join() === by.join(),
          10_000,
        );
      }
    },
  });
  await conversations.goOn();
  for (const hammer of hammers) {
    const { attempts } = flawless(await hammer.stop());
    assert.ok(attempts > repetitions(50, 10), `only ${attempts} connections`);
  }
}

for (const mode of ["workload", "ads"] as const) {
  describeKernel(`mode ${mode}: no connection is hurt, and no new one fails, by a control plane that`, () => {
    it("is killed, stays away, and comes back as it was", () =>
      underTraffic(mode, { hammered: [web, old] }, async ({ kill, comeBack, conversations, agent }) => {
        for (let i = 0; i < 3; i++) {
          await kill();
          await conversations.goOn();
          const { ready, errors } = await agent.status();
          assert.equal(ready, true);
          assert.match(errors.join(), /no stream to the control plane .* what it said last stays in force/);
          await comeBack();
          await conversations.goOn();
        }
        await eventually("nothing is wrong", async () => (await agent.status()).errors.length === 0);
      }));

    it("comes back with an older configuration, and then with the newer one", () =>
      underTraffic(
        mode,
        { hammered: [web, old] },
        async ({ teller, kill, comeBack, served, conversations }) => {
          const older = { web: { ...web, members: ["d"] }, old };
          for (const mesh of [older, both]) {
            await kill();
            teller.mesh = mesh;
            await comeBack();
            await served(web, mesh.web.members);
            await conversations.goOn();
          }
        },
      ));

    it("comes back and knows less: the rest serves, what it does not know goes, and is there again later", () =>
      underTraffic(mode, { hammered: [web] }, async ({ teller, kill, comeBack, served, conversations }) => {
        await kill();
        teller.mesh = { web };
        await comeBack();
        await served(old, []);
        await conversations.goOn();
        await kill();
        teller.mesh = both;
        await comeBack();
        await served(old, ["c"]);
      }));

    it("knows less when the agent is started anew: nothing goes before every type has come", () =>
      underTraffic(mode, { hammered: [web] }, async (world) => {
        const { startNext, teller, agent, served, answerers, conversations } = world;
        await agent.end("SIGKILL");
        teller.mesh = { web };
        teller.withheld = "rest";
        const next = await startNext();
        await eventually("the endpoints have come", async () => {
          const status = await next.status().catch(() => undefined);
          return !!status?.controlPlane?.types.some(({ lastReceived, resources }) =>
            lastReceived && resources > 0
          );
        }, 20_000);
        await sleep(300);
        assert.deepEqual(await answerers(old.vips[0]), ["c"]);
        teller.withheld = undefined;
        await served(old, []);
        await conversations.goOn();
      }));

    /*
     * Time is shorter here than it is out there: the server is asked every 200 ms whether it is still there (20 s), and being
     * unreachable takes seconds (minutes). What the agent waits for an answer (10 s), and how waits between attempts grow, is as
     * it is everywhere.
     */
    it("falls silent until it is given up, then cannot be reached, and is back", async () => {
      let reachable = true;
      let target = "";
      await using nowhere = closedPort();
      await using proxy = createTcpProxy(() => reachable ? target : nowhere.address);
      const options = {
        hammered: [web, old],
        args: ["--xds-keepalive", "200ms", "--log-level", "debug"],
        dial: (plane: ControlPlane) => {
          target = plane.target;
          return proxy.address;
        },
      };
      await underTraffic(mode, options, async ({ agent, teller, conversations }) => {
        const { told } = teller;
        proxy.stall();
        await eventually(
          "the silent one is given up",
          async () => !(await agent.status()).controlPlane!.connected,
          20_000,
        );
        await conversations.goOn();
        reachable = false;
        proxy.resume();
        proxy.cut();
        const waits = () =>
          agent.log.filter(({ msg }) => /no stream to the control plane/.test(msg)).map((line) =>
            Number(line.retryInMs)
          );
        await eventually("waits have grown to seconds", () => waits().some((wait) => wait > 2000), 30_000);
        assert.ok(waits().length >= 9, `${waits()}`);
        await conversations.goOn();
        assert.equal((await agent.status()).ready, true);
        reachable = true;
        await eventually("the agent was told everything", () => teller.told > told, 20_000);
        assert.deepEqual((await agent.status()).errors, []);
      });
    });

    it("sends what is no HTTP/2, and then messages of random bytes", () =>
      underTraffic(mode, { hammered: [web, old] }, async (world) => {
        const { plane, teller, agent, conversations, kill, comeBack } = world;
        await kill();
        {
          await using noise = serveNoise(plane.target);
          await eventually("it has heard noise of every kind", () => noise.served >= 8, 30_000);
          await conversations.goOn();
        }
        teller.random = true;
        await plane.start();
        const { randoms } = teller;
        await eventually("much of it was refused", () => randoms.refused >= 30 && randoms.sent >= 60, 60_000);
        await conversations.goOn();
        assert.equal((await agent.status()).ready, true);
        await kill();
        teller.random = false;
        await comeBack();
        const { controlPlane, errors } = await agent.status();
        assert.deepEqual([controlPlane!.rejected.map(({ name }) => name), errors], [[], []]);
      }));
  });
}

/** An address where nobody listens. */
function closedPort() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** A server that answers each connection with something else that is no HTTP/2. */
function serveNoise(target: string): AsyncDisposable & { readonly served: number } {
  const [hostname, port] = target.split(":");
  const listener = Deno.listen({ hostname, port: Number(port) });
  const text = (words: string) => new TextEncoder().encode(words);
  const noises = [
    crypto.getRandomValues(new Uint8Array(2000)),
    text("HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nnope"),
    new Uint8Array(0),
    // A frame of 16 MB that begins with what a HTTP/2 server may begin with.
    Uint8Array.of(0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0, ...crypto.getRandomValues(new Uint8Array(500))),
  ];
  let served = 0;
  const serving = (async () => {
    for await (const connection of listener) {
      const noise = noises[served++ % noises.length];
      await connection.write(noise).catch(() => {});
      connection.close();
    }
  })();
  return {
    get served() {
      return served;
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await serving;
    },
  };
}
