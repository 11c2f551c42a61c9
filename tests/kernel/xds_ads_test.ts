import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  type AddressPort,
  assertHealthy,
  assertSpread,
  createControlPlane,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  rate,
  repetitions,
  serverAt,
  startAgent,
  type TestNet,
} from "../kit/mod.ts";
import { replaySotw } from "../kit/replay_sotw.ts";
import { readRecordings, type RecordedEvent, type Recording, streamsDirectory } from "../kit/streams.ts";
import { httpServed, type Served, servedByHash, type SotwState, tcpServed } from "./_ads_oracle.ts";

const directory = streamsDirectory("services of recorded streams of mode ads, through the kernel");

/** So many connections tell whether endpoints are chosen by weight. */
const draws = 300;

function stateOf({ steps }: Recording, step: number): SotwState {
  return steps[step].expected as unknown as SotwState;
}

/** All servers that some step asks for, each named by its address. */
function placesOf(recording: Recording): Record<string, AddressPort[]> {
  const all = recording.steps.flatMap((_, i) => {
    const state = stateOf(recording, i);
    return [...httpServed(state).values(), ...tcpServed(state).values()].flatMap((one) => [...one.keys()]);
  });
  return Object.fromEntries([...new Set(all)].map((address) => [address, [address]]));
}

/** Connects to a frontend until it is served by just those who are to serve it. */
async function assertServed(
  net: TestNet,
  frontend: AddressPort,
  to: ReadonlyMap<string, number>,
  { draws, byHash }: { readonly draws: number; readonly byHash: boolean },
) {
  const kind = frontend.startsWith("[") ? "tcp6" : "tcp4";
  const hammer = (count: number) => net.hammer({ kind, targets: [frontend], count });
  const wanted = [...to.keys()].sort();
  await eventually(`${frontend} is served by ${wanted.join(", ") || "nobody"}`, async () => {
    const { servers, errors } = await hammer(40);
    if (wanted.length === 0) return errors["connect EHOSTUNREACH"] === 40;
    return Object.keys(errors).length === 0 && Object.keys(servers).every((server) => to.has(server));
  }, 30_000);
  if (wanted.length === 0 || draws === 0) return;
  const { servers, errors } = await hammer(draws);
  assert.deepEqual(errors, {}, frontend);
  // The hammer is one client.
  if (byHash) assert.equal(Object.keys(servers).length, 1, frontend);
  else assertSpread(servers, Object.fromEntries(to));
}

/**
 * @param before what was checked last: what is the same still is only tried, not counted
 * @param hashed the frontends that give each client an endpoint of its own, of those that are counted
 */
async function assertAllServed(
  net: TestNet,
  served: Served,
  before: Served,
  hashed: ReadonlySet<string> = new Set(),
) {
  for (const [frontend, to] of served) {
    const old = before.get(frontend);
    const same = old?.size === to.size && [...to].every(([server, weight]) => old.get(server) === weight);
    await assertServed(net, frontend, to, { draws: same ? 0 : draws, byHash: hashed.has(frontend) });
  }
}

/** An agent beside a control plane that has played the first step. */
async function startWorld(recording: Recording) {
  await using stack = new AsyncDisposableStack();
  const net = stack.use(await createTestNet({ places: placesOf(recording) }));
  const plane = stack.use(await createControlPlane({ listen: `unix:/tmp/${net.id}-xds.sock` }));
  const replay = replaySotw(plane);
  const starting = startAgent(net, { xds: { target: plane.target, mode: "ads" } });
  const [agent] = await Promise.all([starting, replay.play(recording.steps[0])]);
  stack.use(agent);
  // It goes first: Deno's HTTP/2 server may abort over a client that cancels its stream and closes the connection at once.
  stack.defer(plane.stop);
  const started = stack.move();
  return { net, plane, replay, agent, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

describeKernel("mode ads: recorded streams", () => {
  if (directory === undefined) return;
  for (const scenario of ["s1-basics", "s2-traffic", "s6-dualstack"]) {
    for (const recording of readRecordings(directory, scenario)) {
      it(`${scenario}, ${recording.client}: every service is served by who should, after every step`, async () => {
        await using world = await startWorld(recording);
        const { net, replay, agent } = world;
        let http = 0;
        let before: Served = new Map();
        for (const [i, step] of recording.steps.entries()) {
          if (i > 0) await replay.play(step);
          const state = stateOf(recording, i);
          http += httpServed(state).size;
          const served = new Map([...httpServed(state), ...tcpServed(state)]);
          await assertAllServed(net, served, before, servedByHash(state));
          before = served;
        }
        assert.ok(http > 0, "no HTTP service at all");
        await assertHealthy(agent);
      });
    }
  }

  it("what needs L7 is named in status; other addresses, ports and protocols are left alone", async () => {
    const [recording] = readRecordings(directory, "s2-traffic");
    await using world = await startWorld(recording);
    const { net, agent } = world;
    const { warnings } = await agent.status();
    assert.ok(warnings.some((line) => line.includes("needs L7: crew")), warnings.join("\n"));
    // The wildcard listener is for this port too.
    const direct = serverAt(net.servers.a, 4);
    const { servers, peers } = flawless(await net.hammer({ kind: "tcp4", targets: [direct], count: 20 }));
    assert.deepEqual([servers, peers], [{ a: 20 }, { [direct]: 20 }]);
    for (const [port, protocol] of [["8080", "udp"], ["81", "tcp"]]) {
      const flags = protocol === "udp" ? ["--udp"] : [];
      const { stdout } = await agent.weft("explain", `172.21.0.2:${port}`, ...flags, "-o", "json");
      assert.equal(JSON.parse(stdout).outcome, "passthrough", `${port} ${protocol}: ${stdout}`);
      await using sockets = await net.sockets();
      const socket = await sockets.open(protocol === "udp" ? "udp4" : "tcp4");
      await socket.nonBlocking();
      const refused = await socket.connect(`172.21.0.2:${port}`).then(() => "", ({ code }) => code);
      assert.ok(["", "EINPROGRESS"].includes(refused), `${port} ${protocol}: ${refused}`);
      if (protocol === "udp") assert.equal(await socket.peer(), "172.21.0.2:8080");
    }
  });

  it("weft resources shows what the control plane has told", async () => {
    const [recording] = readRecordings(directory, "s6-dualstack");
    await using world = await startWorld(recording);
    const { stdout } = await world.agent.weft("resources", "endpoints", "-o", "json");
    const { endpoints } = JSON.parse(stdout);
    const expected = stateOf(recording, 0).endpoints;
    assert.deepEqual(Object.keys(endpoints).sort(), Object.keys(expected).sort());
    const { stdout: table } = await world.agent.weft("resources", "clusters");
    for (const { name } of stateOf(recording, 0).clusters) assert.ok(table.includes(name), table);
    const { stdout: counts } = await world.agent.weft("resources", "endpoints");
    assert.match(counts, /^NAME +ENDPOINTS /m);
    assert.match(counts, /outbound\|8080\|\|four\.twin\.svc\.cluster\.local +3 /);
  });

  for (
    const [scenario, client] of [["s1-basics", "north"], ["s2-traffic", "caller"], ["s6-dualstack", "dual"]]
  ) {
    it(`${scenario}: no connection fails to what is served before and after a step`, async () => {
      const recording = readRecordings(directory, scenario).find((one) => one.client === client)!;
      await using world = await startWorld(recording);
      const { net, replay, agent } = world;
      let tried = 0;
      for (const [i, step] of recording.steps.entries()) {
        if (i === 0) continue;
        const served = (step: number) => {
          const state = stateOf(recording, step);
          return new Map([...httpServed(state), ...tcpServed(state)]);
        };
        const [before, after] = [served(i - 1), served(i)];
        await assertAllServed(net, before, before);
        const targets = [...before].filter(([frontend, to]) =>
          to.size > 0 && (after.get(frontend)?.size ?? 0) > 0
        )
          .map(([frontend]) => frontend);
        await using stack = new AsyncDisposableStack();
        const hammers = [];
        for (const kind of ["tcp4", "tcp6"] as const) {
          const those = targets.filter((target) => target.startsWith("[") === (kind === "tcp6"));
          if (those.length === 0) continue;
          hammers.push(stack.use(await net.startHammer({ kind, targets: those, perSecond: rate(500) })));
        }
        await replay.play(step);
        await assertAllServed(net, after, after);
        for (const hammer of hammers) tried += flawless(await hammer.stop()).attempts;
      }
      assert.ok(tried > 100, `only ${tried} connections`);
      await assertHealthy(agent);
    });
  }

  it("a control plane that goes, says nothing, says garbage, says all again, and goes: no connection fails", async () => {
    const [recording] = readRecordings(directory, "s1-basics");
    await using world = await startWorld(recording);
    const { net, plane, agent } = world;
    const served = httpServed(stateOf(recording, 0));
    const targets = [...served].filter(([frontend, to]) => to.size > 0 && !frontend.startsWith("["))
      .map(([frontend]) => frontend);
    await using hammer = await net.startHammer({ kind: "tcp4", targets, perSecond: rate(500) });
    plane.stop();
    await eventually("the agent has noticed", async () => !(await agent.status()).controlPlane!.connected);
    await plane.start();
    // A stream on which nothing is said, and one on which there is only garbage.
    const silent = await plane.stream(20_000);
    await silent.sotwRequest();
    silent.fail();
    const garbage = await plane.stream(20_000);
    await garbage.sotwRequest();
    garbage.send(Uint8Array.of(0xff, 0xff, 0xff));
    await garbage.ended;
    // One that begins anew with the same resources.
    const replay = replaySotw(plane);
    await replay.play({ ...recording.steps[0], events: withAllNames(recording) });
    await assertAllServed(net, served, new Map());
    plane.stop();
    await assertAllServed(net, served, served);
    assert.ok(flawless(await hammer.stop()).attempts > repetitions(50, 10));
    agent.log.splice(0);
  });

  it("a control plane that comes back with an older configuration: no connection fails that had an endpoint in both", async () => {
    const [recording] = readRecordings(directory, "s1-basics");
    await using world = await startWorld(recording);
    const { net, plane, replay, agent } = world;
    const [older, newer] = [0, 1].map((step) => httpServed(stateOf(recording, step)));
    const sameText = (served: Served) => JSON.stringify([...served].map(([at, to]) => [at, [...to.keys()]]));
    assert.notEqual(sameText(older), sameText(newer));
    await replay.play(recording.steps[1]);
    await assertAllServed(net, newer, new Map());
    const targets = [...newer].filter(([at, to]) =>
      to.size > 0 && older.get(at)!.size > 0 && !at.startsWith("[")
    )
      .map(([at]) => at);
    await using hammer = await net.startHammer({ kind: "tcp4", targets, perSecond: rate(500) });
    plane.stop();
    await eventually("the agent has noticed", async () => !(await agent.status()).controlPlane!.connected);
    await plane.start();
    await replaySotw(plane).play({ ...recording.steps[0], events: withAllNames(recording) });
    await assertAllServed(net, older, new Map());
    plane.stop();
    assert.ok(flawless(await hammer.stop()).attempts > repetitions(50, 10));
    agent.log.splice(0);
  });
});

/** The first step as a client that kept everything sees it: it asks for all names at once. */
function withAllNames({ steps: [{ events }] }: Recording): RecordedEvent[] {
  const last = new Map(
    events.flatMap((event) => event.kind === "out" ? [[event.typeUrl, event] as const] : []),
  );
  const [opened, ...rest] = events;
  return [opened, ...last.values(), ...rest.filter(({ kind }) => kind === "in")];
}
