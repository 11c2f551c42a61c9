import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  addressUrl,
  assertSpread,
  at,
  authorizationUrl,
  type ControlPlane,
  type ControlStream,
  createControlPlane,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  meshResources,
  policyResource,
  rate,
  repetitions,
  startAgent,
  type TestAgent,
  type TestNet,
  workloadResource,
} from "../kit/mod.ts";

const web = ["10.96.0.1", "fd96::1"];
const old = ["10.96.0.2"];
const vip4 = at("10.96.0.1", 80);
const vip6 = at("fd96::1", 80);
const oldVip = at("10.96.0.2", 80);

/** Waits for the agent's stream and for its two subscriptions. */
async function subscribed(plane: ControlPlane): Promise<ControlStream> {
  const stream = await plane.stream(20_000);
  await stream.deltaRequest();
  await stream.deltaRequest();
  return stream;
}

let nonce = 0;

/** Sends a response and waits for its ACK. */
async function tell(
  stream: ControlStream,
  response: Parameters<ControlStream["sendDelta"]>[0],
): Promise<void> {
  const sent = { type_url: addressUrl, nonce: `n${++nonce}`, ...response };
  stream.sendDelta(sent);
  await stream.expectDelta({ type_url: sent.type_url, response_nonce: sent.nonce });
}

/** An agent that follows a control plane which has told it of a mesh. */
async function startFollowing(net: TestNet, plane: ControlPlane, mesh: Parameters<typeof meshResources>[0]) {
  const starting = startAgent(net, { xds: { target: plane.target, mode: "workload" } });
  starting.catch(() => {}); // told when it is awaited
  const stream = await subscribed(plane);
  await tell(stream, { resources: meshResources(mesh, net.servers) });
  await tell(stream, { type_url: authorizationUrl });
  return { agent: await starting, stream };
}

async function flushed(agent: TestAgent, what: () => Promise<void>): Promise<void> {
  const { flushes } = await agent.status();
  await what();
  await eventually("it is in the kernel", async () => (await agent.status()).flushes > flushes);
}

async function answers(net: TestNet, target: typeof vip4, count = 40): Promise<string[]> {
  const kind = target === vip6 ? "tcp6" : "tcp4";
  return Object.keys(flawless(await net.hammer({ kind, targets: [target], count })).servers).toSorted();
}

describeKernel("an agent that follows a control plane", () => {
  it("serves what it is told, follows every change, and shows what it was told", async () => {
    await using net = await createTestNet();
    await using plane = await createControlPlane();
    const { agent: started, stream } = await startFollowing(net, plane, {
      web: { vips: web, members: ["a", "b"] },
    });
    await using agent = started;
    assert.deepEqual(await answers(net, vip4), ["a", "b"]);
    assert.deepEqual(await answers(net, vip6), ["a", "b"]);

    // One workload more, twice as heavy; another one gone.
    const ports = [{ service_port: 80, target_port: 8080, app_protocol: 0 }];
    const heavy = workloadResource("c", {
      addresses: [Uint8Array.of(10, 77, 1, 3)],
      capacity: { value: 2 },
      services: { "test/web.test.mesh": { ports } },
    }, { version: "2" });
    await flushed(agent, () => tell(stream, { resources: [heavy], removed_resources: ["b"] }));
    const { servers } = flawless(await net.hammer({ kind: "tcp4", targets: [vip4], count: 600 }));
    assertSpread(servers, { a: 1, c: 2 });

    await tell(stream, { type_url: authorizationUrl, resources: [policyResource("test/deny")] });
    const status = await agent.status();
    assert.equal(status.controlPlane?.connected, true);
    assert.deepEqual(status.controlPlane?.types.map(({ type, resources }) => [type, resources]), [
      ["Address", 4],
      ["Authorization", 1],
    ]);
    assert.deepEqual(status.warnings, ["policy test/deny is not enforced yet"]);
    const shown = JSON.parse((await agent.weft("resources", "-o", "json")).stdout);
    assert.deepEqual(Object.keys(shown.workloads), ["a", "c", "d"]);
    assert.deepEqual(shown.workloads.c.capacity, 2);
    assert.equal(shown.meta.workloads.c.version, "2");
    assert.deepEqual(Object.keys(shown.policies), ["test/deny"]);
    assert.equal(shown.connected, true);
    const table = await agent.weft("resources", "services");
    assert.match(table.stdout, /^test\/web\.test\.mesh +\/10\.96\.0\.1 \/fd96::1 +80→8080/m);
    const unknown = await agent.weft("resources", "routes");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /there is no type "routes"\n +one of: workloads, services, policies/);
    const metrics = await agent.weft("metrics");
    assert.match(metrics.stdout, /^weft_xds_connected 1$/m);
    assert.match(metrics.stdout, /^weft_xds_resources\{type="Address"\} 4$/m);
  });

  it("keeps the last good version of what it refuses, and says so everywhere", async () => {
    await using net = await createTestNet();
    await using plane = await createControlPlane();
    const { agent: started, stream } = await startFollowing(net, plane, {
      web: { vips: web, members: ["a"] },
    });
    await using agent = started;
    stream.sendDelta({
      type_url: addressUrl,
      nonce: "bad",
      resources: [workloadResource("a", { addresses: [new Uint8Array(3)] }, { version: "2" })],
    });
    const { error_detail } = await stream.deltaRequest();
    assert.equal(error_detail?.message, "a: an address has 3 bytes, expected 4 or 16");
    assert.deepEqual(await answers(net, vip4), ["a"]);
    const { controlPlane } = await agent.status();
    assert.deepEqual(controlPlane?.rejected.map(({ type, name, version }) => [type, name, version]), [
      ["Address", "a", "2"],
    ]);
    await agent.logged(({ msg }) => /refused Address a: an address has 3 bytes/.test(msg));
    assert.match((await agent.weft("status")).stdout, /Address a: an address has 3 bytes/);
    assert.match((await agent.weft("resources")).stdout, /^Address +a +2 .* an address has 3 bytes/m);
    const metrics = await agent.weft("metrics");
    assert.match(metrics.stdout, /^weft_xds_rejected_resources\{type="Address"\} 1$/m);
  });

  it("that cannot reach it is not ready, says why, ends when told to, and serves as soon as it can", async () => {
    await using net = await createTestNet();
    await using plane = await createControlPlane();
    plane.stop();
    const xds = { target: plane.target, mode: "workload" } as const;
    {
      await using agent = await startAgent(net, { xds, wait: false });
      await agent.logged(({ msg }) => /no stream to the control plane/.test(msg));
      const { ready, errors } = await agent.status();
      assert.equal(ready, false);
      assert.match(
        errors.join(),
        /no stream to the control plane 127\.0\.0\.1:\d+: connect ECONNREFUSED 127\.0\.0\.1:\d+$/,
      );
      assert.equal((await agent.end("SIGTERM")).code, 0);
    }
    await using agent = await startAgent(net, { xds, wait: false });
    await agent.logged(({ msg }) => /no stream to the control plane/.test(msg));
    await plane.start();
    const stream = await subscribed(plane);
    const resources = meshResources({ web: { vips: web, members: ["a"] } }, net.servers);
    await tell(stream, { resources });
    await tell(stream, { type_url: authorizationUrl });
    await eventually("it serves", async () => (await agent.status()).ready, 20_000);
    assert.deepEqual(await answers(net, vip4), ["a"]);
    assert.deepEqual((await agent.status()).errors, []);
  });

  it("removes nothing of a kernel taken over until every type was received", async () => {
    await using net = await createTestNet();
    await using plane = await createControlPlane();
    const services = {
      web: { vips: web, members: { a: {} } },
      old: { vips: old, members: { b: {} } },
    };
    await using first = await startAgent(net, { services, name: "same" });
    await first.end("SIGKILL");
    await using agent = await startAgent(net, {
      xds: { target: plane.target, mode: "workload" },
      name: "same",
      wait: false,
    });
    const stream = await subscribed(plane);
    const resources = meshResources({ web: { vips: web, members: ["c"] } }, net.servers);
    await tell(stream, { resources });
    assert.deepEqual([await answers(net, vip4), await answers(net, oldVip)], [["a"], ["b"]]);
    await tell(stream, { type_url: authorizationUrl });
    await eventually("it serves", async () => (await agent.status()).ready, 20_000);
    assert.deepEqual(await answers(net, vip4), ["c"]);
    await using sockets = await net.sockets();
    const socket = await sockets.open("tcp4", 200);
    await assert.rejects(socket.connect(oldVip), { code: "EINPROGRESS" });
  });

  it("whose control plane fails in every way lets no connection fail", async () => {
    await using net = await createTestNet();
    await using plane = await createControlPlane();
    const mesh = { web: { vips: web, members: ["a", "b"] }, old: { vips: old, members: ["c"] } };
    const { agent: started, stream: first } = await startFollowing(net, plane, mesh);
    await using agent = started;
    await using traffic = await net.startHammer({ kind: "tcp4", targets: [vip4], perSecond: rate(500) });

    first.send(Uint8Array.of(0x12, 0xff, 0xff, 0xff)); // garbage
    let stream = await subscribed(plane);
    stream.fail(); // an error
    stream = await subscribed(plane);
    stream.sendDelta({
      type_url: addressUrl,
      nonce: "x",
      resources: [{ name: "", version: "", resource: null, aliases: [] }],
    });
    assert.ok((await stream.deltaRequest()).error_detail);
    plane.stop(); // gone for a while
    await agent.logged(({ msg }) => /no stream to the control plane/.test(msg));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal((await agent.status()).ready, true);
    await plane.start();
    stream = await subscribed(plane); // back, and it knows less
    await flushed(agent, () => tell(stream, { removed_resources: ["test/old.test.mesh", "b", "c"] }));
    assert.deepEqual(await answers(net, vip4), ["a"]);

    const result = flawless(await traffic.stop());
    assert.ok(result.attempts > repetitions(100, 20), `${result.attempts}`);
    assert.deepEqual((await agent.status()).errors, []);
  });
});
