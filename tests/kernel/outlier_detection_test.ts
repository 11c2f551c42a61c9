import { afterAll, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { closeFd, openDirectory, openShim, queryPrograms } from "../../ffi/mod.ts";
import { sleep } from "../../src/host/mod.ts";
import {
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  patience,
  startAgent,
  type TestAgent,
  type TestNet,
  useWorld,
} from "../kit/mod.ts";
import {
  asideIn,
  atHome,
  each,
  endpointsOf,
  failUntilAside,
  inZone,
  neighbours,
  web,
  web4,
} from "./_near_and_far.ts";

describeKernel("endpoints that die", () => {
  const near = Array.from({ length: 10 }, (_, i) => `n${i}`);
  const far = ["f0", "f1", "f2"];
  const alive = new Map<string, AsyncDisposable>();
  // Before the world goes, which they live in.
  afterAll(async () => {
    for (const server of alive.values()) await server[Symbol.asyncDispose]();
  });
  const world = useWorld({
    servers: each([...near, ...far], []),
    services: web({ ...each(near, inZone("near")), ...each(far, inZone("far")) }),
    args: [...atHome, "--consecutive-failures", "3"],
  });

  async function revive(names: readonly string[]): Promise<void> {
    for (const name of names) alive.set(name, await world().net.serve([name]));
  }

  async function kill(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await alive.get(name)![Symbol.asyncDispose]();
      alive.delete(name);
    }
  }

  /** Connects until these, and no others, are set aside. */
  async function connectUntilAside(names: readonly string[]): Promise<void> {
    const { net, agent } = world();
    await using hammer = await net.startHammer({ kind: "tcp4", targets: [web4], perSecond: 500 });
    await eventually(`${names} are set aside`, async () => (await asideIn(agent)).join() === names.join());
    const { errors } = await hammer.stop();
    assert.deepEqual(Object.keys(errors), ["connect ECONNREFUSED"]);
  }

  async function chosen(): Promise<string[]> {
    const { servers } = flawless(
      await world().net.hammer({ kind: "tcp4", targets: [web4], count: 300 }),
    );
    return Object.keys(servers).toSorted();
  }

  it("8 of 10 in the near zone: all traffic reaches the other two", async () => {
    await revive([...near, ...far]);
    assert.deepEqual(await chosen(), near);
    await kill(near.slice(2));
    await connectUntilAside(near.slice(2));
    assert.deepEqual(await chosen(), near.slice(0, 2));
  });

  it("then the whole near zone: all traffic leaves it", async () => {
    await kill(near.slice(0, 2));
    await connectUntilAside(near);
    assert.deepEqual(await chosen(), far);
  });

  it("of the last zone no more than its share is set aside", async () => {
    const { net, agent } = world();
    await kill(far.slice(0, 2));
    const { shareReached } = (await agent.status()).outliers!;
    await using hammer = await net.startHammer({ kind: "tcp4", targets: [web4], perSecond: 500 });
    await eventually(
      "a second one was not set aside",
      async () => (await agent.status()).outliers!.shareReached > shareReached + 2,
    );
    await hammer.stop();
    const aside = (await asideIn(agent)).filter((name) => far.includes(name));
    assert.equal(aside.length, 1);
    assert.notEqual(aside[0], far[2]);
  });
});

describeKernel("an endpoint that was set aside", () => {
  const base = patience(2000);
  const world = useWorld({
    servers: { a: [], b: [8080] },
    services: web(neighbours),
    args: [
      ...[...atHome, "--consecutive-failures", "2"],
      ...["--base-ejection-time", `${base}ms`, "--max-ejection-time", `${2 * base}ms`],
    ],
  });
  const letIn = () => world().agent.log.filter(({ msg }) => /in use again/.test(msg)).length;
  const setAside = () => world().agent.log.filter(({ msg }) => /^set aside/.test(msg));

  it("is let in after its time; each time in a row is twice as long, up to the longest", async () => {
    const { net, agent } = world();
    for (let i = 0; i < 3; i++) {
      await failUntilAside(net, agent);
      await eventually("it is let in", () => letIn() > i, 10_000);
    }
    const lines = setAside();
    assert.deepEqual(lines.map(({ times }) => times), [1, 2, 2]);
    for (const [i, expected] of [base, 2 * base, 2 * base].entries()) {
      const { until, time } = lines[i] as { until?: string; time: string };
      const took = new Date(until!).getTime() - new Date(time).getTime();
      assert.ok(Math.abs(took - expected) < patience(100), `${took} ms, expected ${expected}`);
    }
  });

  it("gets connections again when it is back, and its count goes on", async () => {
    const { net, agent } = world();
    await using _ = await net.serve(["a"]);
    const connectionsOf = async () =>
      (await endpointsOf(agent)).find(({ uid, family }) => uid === "web/a" && family === "IPv4")!.connections;
    const before = await connectionsOf();
    assert.ok(before >= 6, `${before}`);
    const { servers } = flawless(await net.hammer({ kind: "tcp4", targets: [web4], count: 30 }));
    assert.deepEqual(servers, { a: 30 });
    assert.equal(await connectionsOf(), before + 30);
  });

  it("is forgotten when the mesh removes it, and is new when it comes back", async () => {
    const { net, agent } = world();
    await failUntilAside(net, agent);
    await agent.reload(web({ b: neighbours.b }));
    assert.equal((await agent.status()).outliers!.aside, 0);
    await agent.reload(web(neighbours));
    assert.deepEqual(await asideIn(agent), []);
    await failUntilAside(net, agent);
    assert.equal(setAside().at(-1)!.times, 1);
  });

  it("is let in at once where the tier behind it goes: somebody must be asked", async () => {
    const { net, agent } = world();
    await failUntilAside(net, agent);
    await using hammer = await net.startHammer({ kind: "tcp4", targets: [web4], perSecond: 200 });
    await agent.reload(web({ a: neighbours.a }));
    assert.deepEqual(await asideIn(agent), []);
    const { errors } = await hammer.stop();
    // The dead one refuses; weft never does.
    assert.deepEqual(Object.keys(errors), ["connect ECONNREFUSED"]);
    await agent.reload(web(neighbours));
  });

  it("stays in use where its service says so", async () => {
    const { net, agent } = world();
    await failUntilAside(net, agent);
    await agent.reload(web(neighbours, { outlierDetection: "Off" }));
    assert.deepEqual(await asideIn(agent), []);
    const { errors } = await net.hammer({ kind: "tcp4", targets: [web4], count: 50 });
    assert.deepEqual(errors, { "connect ECONNREFUSED": 50 });
    await sleep(500);
    assert.deepEqual(await asideIn(agent), []);
  });
});

describeKernel("agents and what is set aside", () => {
  const servers = { a: [], b: [8080] };
  const hour = ["--consecutive-failures", "2", "--base-ejection-time", "1h"];
  const start = (net: TestNet, ...args: string[]) =>
    startAgent(net, { services: web(neighbours), name: "one", args: [...atHome, ...args] });
  const sockopsOf = async (agent: TestAgent) =>
    (await agent.status()).programs.filter(({ hook }) => hook === "sockops").map(({ state }) => state);

  it("the next agent begins with nothing set aside, also of what failed before it came", async () => {
    await using net = await createTestNet({ servers });
    await using first = await start(net, ...hour);
    await failUntilAside(net, first);
    await first.end("SIGKILL");
    const result = flawless(await net.hammer({ kind: "tcp4", targets: [web4], count: 20 }));
    assert.deepEqual(result.servers, { b: 20 }, "the kernel serves on as it was");
    await using second = await start(net, ...hour);
    await sleep(500);
    assert.deepEqual(await asideIn(second), []);
    assert.deepEqual(await sockopsOf(second), ["attached"]);
    await failUntilAside(net, second);
  });

  it("one that is told not to sets nothing aside, and takes sockops out", async () => {
    await using net = await createTestNet({ servers });
    await using first = await start(net, ...hour);
    await first.end("SIGTERM");
    await using second = await start(net, "--outlier-detection", "off");
    const { outliers, programs, ready, counters } = await second.status();
    assert.deepEqual([outliers, ready], [null, true]);
    assert.ok(!programs.some(({ hook }) => hook === "sockops"));
    const { errors } = await net.hammer({ kind: "tcp4", targets: [web4], count: 50 });
    assert.deepEqual(errors, { "connect ECONNREFUSED": 50 });
    await sleep(500);
    assert.deepEqual(await asideIn(second), []);
    assert.equal((await second.status()).counters.endpoint_refused, counters.endpoint_refused);
    assert.equal(sockopsPrograms(net.cgroup.path), 0);
  });
});

/** How many sockops programs run for a cgroup. */
function sockopsPrograms(cgroup: string): number {
  using shim = openShim();
  const fd = openDirectory(shim, cgroup);
  try {
    return queryPrograms(shim, fd, 3, "sockops").length;
  } finally {
    closeFd(shim, fd);
  }
}
