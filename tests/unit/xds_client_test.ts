import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { sleep } from "../../src/host/mod.ts";
import { createWorkloadProtocol, type Protocol, runClient } from "../../src/xds/mod.ts";
import { deltaResponseType } from "../../src/xds/proto/mod.ts";
import { createControlPlane, createTcpProxy } from "../kit/mod.ts";
import { node, startClient } from "./_xds_client.ts";
import { addressUrl, authorizationUrl, serviceResource, workloadResource } from "../kit/workload_api.ts";

/** Opens the stream of a client that holds nothing. */
async function begin(plane: Awaited<ReturnType<typeof createControlPlane>>) {
  const stream = await plane.stream();
  await stream.deltaRequest();
  await stream.deltaRequest();
  return stream;
}

describe("xds client: the stream", () => {
  it("tells its node once, subscribes each type, and acknowledges what it got", async () => {
    await using plane = await createControlPlane();
    await using client = startClient(plane.target);
    const stream = await plane.stream();
    const first = await stream.deltaRequest();
    assert.deepEqual([first.type_url, first.node?.id], [addressUrl, node.id]);
    await stream.expectDelta({ type_url: authorizationUrl, node: null });
    assert.equal(client.client.state.connected, true);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", resources: [workloadResource("a")] });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1", node: null });
    assert.equal(client.protocol.complete, false);
    stream.sendDelta({ type_url: authorizationUrl, nonce: "n2" });
    await stream.expectDelta({ type_url: authorizationUrl, response_nonce: "n2", node: null });
    assert.deepEqual([...client.protocol.mesh.workloads.keys()], ["a"]);
    assert.equal(client.protocol.complete, true);
    await stream.expectSilence();
  });

  it("over a UNIX socket", async () => {
    const path = await Deno.makeTempFile({ prefix: "weft-test-", suffix: ".sock" });
    await using plane = await createControlPlane({ listen: `unix:${path}` });
    await using client = startClient(`unix:${path}`);
    const stream = await begin(plane);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", resources: [workloadResource("a")] });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1" });
    assert.equal(client.protocol.mesh.workloads.size, 1);
    await Deno.remove(path).catch(() => {});
  });

  it("that ends, well or not, is opened anew with what is held", async () => {
    await using plane = await createControlPlane();
    await using client = startClient(plane.target);
    let stream = await begin(plane);
    for (const end of ["end", "fail", "stop"] as const) {
      stream.sendDelta({ type_url: addressUrl, nonce: end, resources: [workloadResource("a")] });
      await stream.expectDelta({ type_url: addressUrl, response_nonce: end });
      if (end === "stop") {
        plane.stop();
        await plane.start();
      } else stream[end]();
      stream = await plane.stream();
      const { node: told, initial_resource_versions } = await stream.deltaRequest();
      assert.equal(told?.id, node.id);
      assert.deepEqual({ ...initial_resource_versions }, { a: "1" });
      await stream.expectDelta({ type_url: authorizationUrl, node: null });
      assert.equal(client.protocol.mesh.workloads.size, 1);
    }
    assert.ok(client.ends.length >= 3);
    assert.ok(client.ends.every(({ error }) => error !== ""), JSON.stringify(client.ends));
  });

  it("that breaks while it is opened, which takes time where much is held, tells why", async () => {
    await using plane = await createControlPlane();
    const broken = Promise.withResolvers<void>();
    const protocol: Protocol = Object.create(createWorkloadProtocol(node), {
      open: {
        value: async () => {
          await broken.promise;
          return [];
        },
      },
    });
    await using client = startClient(plane.target, { protocol });
    (await plane.stream()).fail();
    // Time enough for the client to hear of it.
    await sleep(100);
    broken.resolve();
    await client.until("the end of the stream", () => client.ends.length > 0);
    assert.equal(client.ends[0].error, "told to fail");
  });

  it("is tried again and again, with longer and longer waits, where nobody listens", async () => {
    await using plane = await createControlPlane();
    plane.stop();
    await using client = startClient(plane.target);
    await client.until("it has tried 6 times", () => client.ends.length >= 6);
    const waits = client.ends.slice(0, 6).map(({ retryInMs }) => retryInMs);
    for (const [i, most] of [10, 20, 40, 80, 160, 200].entries()) {
      assert.ok(waits[i] >= most / 2 && waits[i] <= most, `${waits}`);
    }
    assert.match(client.ends[0].error, /ECONNREFUSED|refused/i);
    assert.deepEqual([client.client.state.connected, client.client.state.streams], [false, 0]);
    await plane.start();
    const stream = await begin(plane);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", resources: [workloadResource("a")] });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1" });
    await client.until("the error is forgotten", () => client.client.state.error === undefined);
    // A stream on which something came: short waits again.
    const before = client.ends.length;
    stream.fail();
    await plane.stream();
    assert.ok(client.ends[before].retryInMs <= 10, `${client.ends[before].retryInMs}`);
  });

  it("survives GOAWAY: what comes on it still counts, and then a new one is opened", async () => {
    await using plane = await createControlPlane();
    await using client = startClient(plane.target);
    const stream = await begin(plane);
    plane.goAway(300);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", resources: [workloadResource("a")] });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1" });
    assert.deepEqual([client.ends.length, plane.waiting], [0, 0]);
    const next = await plane.stream();
    assert.deepEqual({ ...(await next.deltaRequest()).initial_resource_versions }, { a: "1" });
    assert.equal(client.protocol.mesh.workloads.size, 1);
  });

  it("that is cut in the middle of a message leaves nothing of it", async () => {
    await using plane = await createControlPlane();
    await using proxy = createTcpProxy(() => plane.target);
    await using client = startClient(proxy.address);
    const stream = await begin(plane);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", resources: [workloadResource("a")] });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1" });
    const { mesh } = client.protocol;
    const resources = Array.from({ length: 20_000 }, (_, i) => workloadResource(`pod-${i}`));
    proxy.cutAfter(500_000);
    stream.sendDelta({ type_url: addressUrl, nonce: "n2", resources });
    const next = await plane.stream();
    assert.deepEqual({ ...(await next.deltaRequest()).initial_resource_versions }, { a: "1" });
    assert.equal(client.protocol.mesh, mesh);
    await next.deltaRequest();
    next.sendDelta({ type_url: addressUrl, nonce: "n3", resources });
    await next.expectDelta({ type_url: addressUrl, response_nonce: "n3" });
    assert.equal(client.protocol.mesh.workloads.size, 20_001);
  });

  it("whose server falls silent is given up, and opened anew", async () => {
    await using plane = await createControlPlane();
    await using proxy = createTcpProxy(() => plane.target);
    await using client = startClient(proxy.address, { keepaliveMs: 200, timeoutMs: 300 });
    await begin(plane);
    proxy.stall();
    await client.until("it is given up", () => client.ends.length > 0);
    assert.equal(proxy.connections >= 1, true);
    proxy.resume();
    const stream = await begin(plane);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", resources: [workloadResource("a")] });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1" });
  });

  it("is given up where it cannot be connected to in time", async () => {
    await using plane = await createControlPlane();
    await using proxy = createTcpProxy(() => plane.target);
    proxy.stall();
    await using client = startClient(proxy.address, { timeoutMs: 200 });
    await client.until("it is given up", () => client.ends.length > 0);
    assert.match(client.ends[0].error, /within 0.2 s/);
  });

  it("takes a message of 64 MB", async () => {
    await using plane = await createControlPlane();
    await using client = startClient(plane.target);
    const stream = await begin(plane);
    const names = Array.from({ length: 64 }, (_, i) => "x".repeat(2 ** 20) + i);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", removed_resources: names });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1" });
    assert.equal(client.ends.length, 0);
  });

  it("to a server that takes 4 MiB is opened anew with 60,000 workloads, of which one has gone", async () => {
    await using plane = await createControlPlane({ maxRequestBytes: 4 * 2 ** 20 });
    await using client = startClient(plane.target);
    // As long as they are in real meshes: told with their versions they take 5 MB.
    const all = Array.from(
      { length: 60_000 },
      (_, i) =>
        workloadResource(`Kubernetes//Pod/some-namespace/some-deployment-${i}-5d8f7c9b64-x2x7q`, {}, {
          version: i.toString(16).padStart(16, "0"),
        }),
    );
    let stream = await begin(plane);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", resources: all });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1" });
    const ends = client.ends.length;
    stream.fail();
    stream = await begin(plane);
    stream.sendDelta({ type_url: addressUrl, nonce: "n2", resources: all.slice(1) });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n2" });
    assert.equal(client.ends.length, ends + 1, JSON.stringify(client.ends));
    const { workloads } = client.protocol.mesh;
    assert.deepEqual([workloads.size, workloads.has(all[0].name)], [all.length - 1, false]);
  });

  it("on which messages wait leaves others their turn between them", async () => {
    const busyMs = 2;
    const count = 200;
    const bytes = deltaResponseType.encode({ type_url: addressUrl, nonce: "n" });
    const protocol: Protocol = {
      ...createWorkloadProtocol(node),
      receive: () => {
        const end = performance.now() + busyMs;
        while (performance.now() < end);
        return Promise.resolve([]);
      },
    };
    const abort = new AbortController();
    async function* messages() {
      for (let i = 0; i < count; i++) yield bytes;
      abort.abort();
    }
    let turns = 0;
    const turning = setInterval(() => turns++, 0);
    const client = runClient({
      protocol,
      connect: () => Promise.resolve({ send: () => {}, messages: messages(), close: () => {} }),
      onChange: () => {},
      onConnected: () => {},
      onDisconnected: () => {},
    }, abort.signal);
    await client.done;
    clearInterval(turning);
    assert.ok(turns >= count * busyMs / 40, `the event loop turned ${turns} times in ${count * busyMs} ms`);
  });

  it("on which garbage comes is given up; what was held stays", async () => {
    await using plane = await createControlPlane();
    await using client = startClient(plane.target);
    const stream = await begin(plane);
    stream.sendDelta({ type_url: addressUrl, nonce: "n1", resources: [serviceResource("shop/web.test")] });
    await stream.expectDelta({ type_url: addressUrl, response_nonce: "n1" });
    stream.send(Uint8Array.of(0x12, 0xff, 0xff));
    const next = await plane.stream();
    assert.match(client.ends[0].error, /garbage: the response cannot be read/);
    assert.deepEqual({ ...(await next.deltaRequest()).initial_resource_versions }, { "shop/web.test": "1" });
    assert.equal(client.protocol.mesh.services.size, 1);
  });
});
