import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createDelta } from "../../src/xds/delta.ts";
import { ResourceError } from "../../src/xds/resource_error.ts";
import { PackedResource, ResourceInResponse } from "../../src/xds/held_resource.ts";
import { createWorkloadProtocol, type Protocol } from "../../src/xds/mod.ts";
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  deltaRequestType,
  deltaResponseType,
  EnvelopeError,
  resourceType,
} from "../../src/xds/proto/mod.ts";
import { node } from "./_xds_client.ts";
import {
  addressUrl,
  authorizationUrl,
  policyResource,
  serviceResource,
  workloadResource,
} from "../kit/workload_api.ts";
import { resourcesOf } from "./_xds_replay.ts";

const at = new Date("2026-01-01T00:00:00Z");

async function open(protocol: Protocol): Promise<DeltaDiscoveryRequest[]> {
  return (await protocol.open(at)).map((bytes) => deltaRequestType.decode(bytes));
}

/** Hands a response of addresses over, and gives the one answer. */
async function answerTo(
  protocol: Protocol,
  response: Partial<DeltaDiscoveryResponse>,
): Promise<DeltaDiscoveryRequest> {
  const bytes = deltaResponseType.encode({ type_url: addressUrl, nonce: "n", ...response });
  const answers = await protocol.receive(bytes, at);
  assert.equal(answers.length, 1);
  return deltaRequestType.decode(answers[0]);
}

async function accepted(protocol: Protocol, response: Partial<DeltaDiscoveryResponse>): Promise<void> {
  assert.equal((await answerTo(protocol, response)).error_detail, null);
}

/** What the next stream would tell of what is held. */
async function told(protocol: Protocol): Promise<Record<string, string>[]> {
  return (await open(protocol)).map(({ initial_resource_versions }) => ({ ...initial_resource_versions }));
}

const workloads = ({ mesh }: Protocol) => [...mesh.workloads.keys()].sort();
const services = ({ mesh }: Protocol) => [...mesh.services.keys()].sort();
const reasons = ({ rejections }: Protocol) => rejections.map(({ name, reason }) => `${name}: ${reason}`);

describe("xds delta: opening a stream", () => {
  it("subscribes addresses, then authorizations, as wildcards; only the first request tells the node", async () => {
    const requests = await open(createWorkloadProtocol(node));
    assert.deepEqual(requests.map(({ type_url }) => type_url), [addressUrl, authorizationUrl]);
    assert.deepEqual(requests.map((request) => request.node?.id), [node.id, undefined]);
    for (const request of requests) {
      assert.deepEqual([request.resource_names_subscribe, request.resource_names_unsubscribe], [[], []]);
      assert.equal(request.response_nonce, "");
    }
  });

  it("tells the versions of what is held; authorizations have none but their names are told", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, {
      resources: [workloadResource("a", {}, { version: "7" }), serviceResource("shop/web.test")],
    });
    await accepted(protocol, { type_url: authorizationUrl, resources: [policyResource("shop/p")] });
    assert.deepEqual(await told(protocol), [{ a: "7", "shop/web.test": "1" }, { "shop/p": "" }]);
    // Each stream tells the node anew.
    assert.equal((await open(protocol))[0].node?.id, node.id);
  });

  it("tells many versions bit by bit, in one request", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const uids = Array.from({ length: 5000 }, (_, i) => `w${i}`);
    await accepted(protocol, {
      resources: uids.map((uid, i) => workloadResource(uid, {}, { version: `${i}` })),
    });
    let pauses = 0;
    const pause = () => void pauses++;
    const [addresses] = await protocol.open(at, pause);
    const { initial_resource_versions, node: who, type_url } = deltaRequestType.decode(addresses);
    assert.deepEqual(
      { ...initial_resource_versions },
      Object.fromEntries(uids.map((uid, i) => [uid, `${i}`])),
    );
    assert.deepEqual([who?.id, type_url], [node.id, addressUrl]);
    assert.ok(pauses >= 5, `${pauses}`);
  });

  it("does not tell removed resources, nor refused ones, so that these come again", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: ["a", "b", "c"].map((uid) => workloadResource(uid)) });
    await answerTo(protocol, {
      resources: [workloadResource("b", { addresses: [new Uint8Array(3)] }, { version: "2" })],
      removed_resources: ["c"],
    });
    assert.deepEqual(await told(protocol), [{ a: "1" }, {}]);
    assert.deepEqual(workloads(protocol), ["a", "b"]);
  });

  it("tells no versions where they would be more than control planes take", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const uids = Array.from(
      { length: 60_000 },
      (_, i) => `Kubernetes//Pod/some-namespace/some-deployment-${i}`,
    );
    const version = "0123456789abcdef";
    await accepted(protocol, { resources: uids.map((uid) => workloadResource(uid, {}, { version })) });
    const [addresses] = await protocol.open(at);
    assert.ok(addresses.length < 2 ** 20, `${addresses.length} bytes`);
    // Everything comes again; what does not has gone.
    await accepted(protocol, {
      resources: uids.slice(1).map((uid) => workloadResource(uid, {}, { version })),
    });
    assert.equal(protocol.mesh.workloads.size, uids.length - 1);
    assert.equal(protocol.mesh.workloads.has(uids[0]), false);
  });

  it("counts names and versions for that", async () => {
    for (const [maxVersionBytes, isTold] of [[16, true], [15, false]] as const) {
      const delta = createDelta({
        node,
        types: [{ typeUrl: addressUrl, decoder: () => () => undefined }],
        prepare: () => Promise.resolve(() => {}),
        maxVersionBytes,
      });
      const resources = [workloadResource("w", {}, { version: "123456789" })];
      await delta.receive(deltaResponseType.encode({ type_url: addressUrl, nonce: "n", resources }), at);
      const { initial_resource_versions } = deltaRequestType.decode((await delta.open())[0]);
      assert.deepEqual({ ...initial_resource_versions }, isTold ? { w: "123456789" } : {});
    }
  });
});

describe("xds delta: responses", () => {
  it("may name what is not ASCII", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: [workloadResource("pod-\u00e9"), workloadResource("\u540d")] });
    assert.deepEqual(workloads(protocol), ["pod-\u00e9", "\u540d"]);
  });

  it("are answered once each with their nonce, also empty ones", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    for (
      const response of [{ nonce: "1", resources: [workloadResource("a")] }, { nonce: "2" }, { nonce: "3" }]
    ) {
      const answer = await answerTo(protocol, response);
      assert.deepEqual([answer.type_url, answer.response_nonce], [addressUrl, response.nonce]);
      assert.deepEqual([answer.error_detail, answer.node], [null, null]);
      assert.deepEqual([answer.resource_names_subscribe, answer.resource_names_unsubscribe], [[], []]);
      assert.deepEqual({ ...answer.initial_resource_versions }, {});
    }
    assert.deepEqual(workloads(protocol), ["a"]);
  });

  it("add, replace and remove; what is the same leaves the mesh the very same", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: [workloadResource("a"), workloadResource("b")] });
    const before = protocol.mesh;
    await accepted(protocol, { resources: [workloadResource("a", {}, { version: "2" })] });
    assert.equal(protocol.mesh, before);
    assert.equal((await told(protocol))[0].a, "2");
    await accepted(protocol, {
      resources: [workloadResource("a", { node: "n2" }, { version: "3" })],
      removed_resources: ["b"],
    });
    assert.deepEqual(workloads(protocol), ["a"]);
    assert.equal(protocol.mesh.workloads.get("a")?.traits.node, "n2");
    assert.notEqual(protocol.mesh, before);
  });

  it("change the mesh in one edit", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const { mesh } = protocol;
    const seen = new Set([mesh]);
    const watch = setInterval(() => seen.add(protocol.mesh), 0);
    const resources = Array.from({ length: 20_000 }, (_, i) => workloadResource(`pod-${i}`));
    await accepted(protocol, { resources });
    clearInterval(watch);
    seen.add(protocol.mesh);
    assert.equal(seen.size, 2);
    assert.equal(protocol.mesh.workloads.size, resources.length);
  });

  it("remove nothing where a removed name is nobody's, an alias say", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const service = serviceResource("shop/web.test", {}, { aliases: ["/10.96.0.1"] });
    await accepted(protocol, { resources: [service] });
    await accepted(protocol, { resources: [service], removed_resources: ["/10.96.0.1", "unknown"] });
    assert.deepEqual(services(protocol), ["shop/web.test"]);
    assert.deepEqual((await resourcesOf(protocol)).aliases, { "shop/web.test": ["/10.96.0.1"] });
  });

  it("keep what they both bring and remove", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: [workloadResource("a")] });
    await accepted(protocol, {
      resources: [workloadResource("a", { node: "n2" })],
      removed_resources: ["a"],
    });
    assert.equal(protocol.mesh.workloads.get("a")?.traits.node, "n2");
  });

  it("of a type remove resources of that type only", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: [serviceResource("shop/web")] });
    await accepted(protocol, { type_url: authorizationUrl, resources: [policyResource("shop/web")] });
    await accepted(protocol, { type_url: authorizationUrl, removed_resources: ["shop/web"] });
    assert.deepEqual([services(protocol), protocol.mesh.policies.size], [["shop/web"], 0]);
    await accepted(protocol, { type_url: authorizationUrl, resources: [policyResource("shop/web")] });
    await accepted(protocol, { removed_resources: ["shop/web"] });
    assert.deepEqual([services(protocol), protocol.mesh.policies.size], [[], 1]);
  });

  it("of a type that nobody asked for get no answer, for that would subscribe to it", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    for (const type_url of ["type.googleapis.com/envoy.config.cluster.v3.Cluster", ""]) {
      const bytes = deltaResponseType.encode({ type_url, nonce: "n", removed_resources: ["a"] });
      assert.deepEqual(await protocol.receive(bytes, at), []);
    }
  });

  it("are complete once every type has come, empty or not, on whatever stream", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    assert.equal(protocol.complete, false);
    await accepted(protocol, { type_url: authorizationUrl });
    assert.equal(protocol.complete, false);
    await open(protocol);
    await accepted(protocol, {});
    assert.equal(protocol.complete, true);
    await open(protocol);
    assert.equal(protocol.complete, true);
  });

  it("may name policies and services that come later", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const services = {
      "shop/web.test": { ports: [{ service_port: 80, target_port: 8080, app_protocol: 0 }] },
    };
    await accepted(protocol, {
      resources: [workloadResource("a", { services, authorization_policies: ["shop/p"] })],
    });
    await accepted(protocol, { type_url: authorizationUrl, resources: [policyResource("shop/p")] });
    await accepted(protocol, { resources: [serviceResource("shop/web.test")] });
    assert.deepEqual([...protocol.mesh.members.get("shop/web.test")!.keys()], ["a"]);
    assert.deepEqual(protocol.notes, ["policy shop/p is not enforced yet"]);
  });

  it("that are cut off are answered where they could be told apart, else they end the stream", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: [workloadResource("a")] });
    const { mesh } = protocol;
    const whole = deltaResponseType.encode({ type_url: addressUrl, nonce: "n", removed_resources: ["a"] });
    const [bytes] = await protocol.receive(whole.subarray(0, whole.length - 1), at);
    const answer = deltaRequestType.decode(bytes);
    assert.equal(answer.response_nonce, "n");
    assert.match(answer.error_detail!.message, /cannot be read/);
    await assert.rejects(protocol.receive(whole.subarray(0, 10), at), EnvelopeError);
    assert.equal(protocol.mesh, mesh);
    assert.equal(protocol.types[0].nacks, 1);
  });
});

describe("xds delta: a resource that is refused", () => {
  const bad = workloadResource("bad", { addresses: [new Uint8Array(5)] }, { version: "2" });

  it("is named with the reason, and the rest of the response counts", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const answer = await answerTo(protocol, {
      nonce: "n1",
      resources: [workloadResource("a"), bad, serviceResource("shop/web.test")],
    });
    assert.equal(answer.response_nonce, "n1");
    assert.equal(answer.error_detail?.message, "bad: an address has 5 bytes, expected 4 or 16");
    assert.deepEqual([workloads(protocol), services(protocol)], [["a"], ["shop/web.test"]]);
    const [rejection] = protocol.rejections;
    assert.deepEqual(rejection, {
      typeUrl: addressUrl,
      name: "bad",
      version: "2",
      reason: "an address has 5 bytes, expected 4 or 16",
      at,
    });
  });

  it("keeps its last good version, until a good one comes or it is removed", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: [workloadResource("bad", { node: "n1" })] });
    await answerTo(protocol, { resources: [bad] });
    assert.equal(protocol.mesh.workloads.get("bad")?.traits.node, "n1");
    const { workloads: shown, meta } = await resourcesOf(protocol) as never as {
      workloads: Record<string, { node: string }>;
      meta: { workloads: Record<string, { version: string }> };
    };
    assert.deepEqual([shown.bad.node, meta.workloads.bad.version], ["n1", "1"]);
    await accepted(protocol, { resources: [workloadResource("bad", { node: "n2" }, { version: "3" })] });
    assert.deepEqual(protocol.rejections, []);
    assert.equal((await told(protocol))[0].bad, "3");
    await answerTo(protocol, { resources: [bad] });
    await accepted(protocol, { removed_resources: ["bad"] });
    assert.deepEqual([protocol.rejections, workloads(protocol)], [[], []]);
  });

  it("that has gone while the stream was away is dropped, last good version and all", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: [workloadResource("bad"), workloadResource("a")] });
    await answerTo(protocol, { resources: [bad] });
    await open(protocol);
    // Its version was not told, so it would have come if it were there.
    await accepted(protocol, {});
    assert.deepEqual([workloads(protocol), protocol.rejections], [["a"], []]);
    await accepted(protocol, {});
    assert.deepEqual(workloads(protocol), ["a"]);
  });

  it("that never had a good version and has gone while the stream was away is dropped too", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await answerTo(protocol, { resources: [bad] });
    await open(protocol);
    await accepted(protocol, {});
    assert.deepEqual(protocol.rejections, []);
  });

  it("that still comes after that stays refused, its last good version in force", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await accepted(protocol, { resources: [workloadResource("bad")] });
    await answerTo(protocol, { resources: [bad] });
    await open(protocol);
    await answerTo(protocol, { resources: [bad] });
    assert.deepEqual([workloads(protocol), protocol.rejections.length], [["bad"], 1]);
  });

  it("is every one of a name that comes more than once", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const answer = await answerTo(protocol, {
      resources: [workloadResource("a"), workloadResource("b"), workloadResource("a", { node: "n2" })],
    });
    assert.match(answer.error_detail!.message, /^a: it is in the response more than once$/);
    assert.deepEqual(workloads(protocol), ["b"]);
  });

  it("is told together with others, and of very many some are counted", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const resources = Array.from(
      { length: 50 },
      (_, i) => workloadResource(`w${i}`, { addresses: [new Uint8Array(1)] }),
    );
    const { error_detail } = await answerTo(protocol, { resources });
    assert.match(error_detail!.message, /^w0: .*; w1: .*; and 30 more resources$/);
    assert.equal(protocol.rejections.length, 50);
  });

  it("is one that cannot be decoded, has no name, no contents, another type, or another identity", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    const good = workloadResource("a");
    const { value } = good.resource!;
    const cases: [Parameters<typeof workloadResource>[2], RegExp][] = [
      [{ resource: { type_url: addressUrl, value: value.subarray(0, value.length - 2) } }, /cannot be read/],
      [{ resource: { type_url: addressUrl, value: Uint8Array.of(0xff, 0xff) } }, /cannot be read/],
      [{ resource: { type_url: addressUrl, value: new Uint8Array() } }, /neither a workload nor a service/],
      [{ name: "" }, /it has no name/],
      [{ resource: null }, /it has no contents/],
      [{ resource: { type_url: authorizationUrl, value } }, /it is a type.googleapis.com\/istio.security/],
      [{ name: "b" }, /its uid is "a", expected the resource's name/],
    ];
    for (const [change, reason] of cases) {
      const { error_detail } = await answerTo(protocol, { resources: [workloadResource("a", {}, change)] });
      assert.match(error_detail!.message, reason);
    }
    assert.deepEqual(workloads(protocol), []);
  });

  it("is a service or policy that says it is another one", async () => {
    const protocol = createWorkloadProtocol(node);
    await open(protocol);
    await answerTo(protocol, { resources: [serviceResource("shop/web.test", { namespace: "other" })] });
    const policy = policyResource("shop/p", { name: "q" });
    await answerTo(protocol, { type_url: authorizationUrl, resources: [policy] });
    assert.deepEqual(reasons(protocol), [
      "shop/web.test: it is other/web.test, expected the resource's name",
      "shop/p: it is shop/q, expected the resource's name",
    ]);
  });
});

describe("xds delta: what is held", () => {
  it("is what was decoded, also where the wire says something more than once: the last counts", async () => {
    const decoded: number[][] = [];
    const delta = createDelta({
      node,
      types: [{
        typeUrl: addressUrl,
        decoder: (bytes) => (_, start, end) => decoded.push([...bytes.subarray(start, end)]),
      }],
      prepare: () => Promise.resolve(() => {}),
    });
    const contents = (value: number) => ({ type_url: addressUrl, value: Uint8Array.of(value) });
    const resource = [
      ...resourceType.encode({ name: "w", version: "1", resource: contents(1) }),
      ...resourceType.encode({ version: "22", resource: contents(2) }),
    ];
    const rest = deltaResponseType.encode({ type_url: addressUrl, nonce: "n" });
    const fieldOfResources = 2 << 3 | 2;
    const said = [fieldOfResources, resource.length, ...resource];
    const others = Array.from({ length: 1024 }, (_, i) => {
      const other = resourceType.encode({ name: `other-${i}`, version: "3", resource: contents(3) });
      return [fieldOfResources, other.length, ...other];
    });
    for (const [more, kind] of [[[], PackedResource], [others.flat(), ResourceInResponse]] as const) {
      decoded.length = 0;
      await delta.receive(Uint8Array.of(...rest, ...said, ...more), at);
      const held = delta.held(addressUrl).get("w")!;
      assert.ok(held instanceof kind);
      assert.deepEqual([held.version, [...held.value]], ["22", [2]]);
      assert.deepEqual(held.receivedAt, at);
      assert.deepEqual(decoded[0], [2]);
    }
  });

  it("stays in a large response while a quarter of that is held, and is copied out of it then", async () => {
    const delta = createDelta({
      node,
      types: [{ typeUrl: addressUrl, decoder: () => () => undefined }],
      prepare: () => Promise.resolve(() => {}),
    });
    const resourceOf = (name: string, version: string) =>
      workloadResource(name, { name }, { version, aliases: name === "w2999" ? ["other"] : [] });
    const told = (names: readonly string[], version: string, removed: readonly string[] = []) =>
      delta.receive(
        deltaResponseType.encode({
          type_url: addressUrl,
          nonce: "n",
          removed_resources: removed,
          resources: names.map((name) => resourceOf(name, version)),
        }),
        at,
      );
    const names = Array.from({ length: 3000 }, (_, i) => `w${i}`);
    await told(names, "1");
    const shared = () => [...delta.held(addressUrl).values()].filter(({ shares }) => shares !== undefined);
    const first = shared()[0].shares!;
    const inFirst = () => shared().filter(({ shares }) => shares === first);
    const bytes = () => inFirst().reduce((sum, { sharedBytes }) => sum + sharedBytes, 0);
    assert.deepEqual([inFirst().length, first.held], [3000, bytes()]);
    await told(names.slice(0, 500), "2");
    assert.deepEqual([shared().length, first.held], [2500, bytes()], "few that come together are kept alone");
    await told(names.slice(500, 1700), "3");
    assert.deepEqual([inFirst().length, shared().length, first.held], [1300, 2500, bytes()]);
    await told([], "4", [...names.slice(1700, 2000), "nobody"]);
    assert.deepEqual([inFirst().length, first.held], [1000, bytes()]);
    await told([], "5", names.slice(2000, 2400));
    assert.deepEqual([inFirst().length, shared().length], [0, 1200], "a fifth is not worth the rest");
    const versions = [...delta.held(addressUrl)].map(([name, { version }]) => `${name} ${version}`);
    assert.deepEqual(
      versions.sort(),
      [
        ...names.slice(0, 500).map((name) => `${name} 2`),
        ...names.slice(500, 1700).map((name) => `${name} 3`),
        ...names.slice(2400).map((name) => `${name} 1`),
      ].sort(),
    );
    const last = delta.held(addressUrl).get("w2999")!;
    assert.deepEqual([last.aliases, last.receivedAt], [["other"], at]);
    assert.deepEqual([...last.value], [...resourceOf("w2999", "1").resource!.value]);
  });

  it("does not keep a large response of which most was refused", async () => {
    const delta = createDelta({
      node,
      types: [{
        typeUrl: addressUrl,
        decoder: () => (name) => {
          if (name !== "w0") throw new ResourceError("it is not the one");
        },
      }],
      prepare: () => Promise.resolve(() => {}),
    });
    const resources = Array.from({ length: 2000 }, (_, i) => workloadResource(`w${i}`, { name: `${i}` }));
    await delta.receive(deltaResponseType.encode({ type_url: addressUrl, nonce: "n", resources }), at);
    const held = delta.held(addressUrl).get("w0")!;
    assert.equal(held.shares, undefined);
    assert.deepEqual([...held.value], [...resources[0].resource!.value]);
    assert.equal(delta.rejections.length, 1999);
  });

  it("keeps every byte of one that came alone, and its other names", async () => {
    const delta = createDelta({
      node,
      types: [{ typeUrl: addressUrl, decoder: () => () => undefined }],
      prepare: () => Promise.resolve(() => {}),
    });
    const value = Uint8Array.from({ length: 512 }, (_, i) => i & 255);
    const resources = [{
      name: "wé",
      version: "vé€",
      aliases: ["/10.96.0.1"],
      resource: { type_url: addressUrl, value },
    }];
    await delta.receive(deltaResponseType.encode({ type_url: addressUrl, nonce: "n", resources }), at);
    const held = delta.held(addressUrl).get("wé")!;
    assert.deepEqual([...held.value], [...value]);
    assert.deepEqual([held.version, held.aliases, held.receivedAt], ["vé€", ["/10.96.0.1"], at]);
  });

  it("does not keep the transport's buffer alive, of which a response was a small part", async () => {
    const delta = createDelta({
      node,
      types: [{ typeUrl: addressUrl, decoder: () => () => undefined }],
      prepare: () => Promise.resolve(() => {}),
    });
    for (const count of [1, 1024, 1025]) {
      const resources = Array.from({ length: count }, (_, i) => workloadResource(`w${i}`, { name: `${i}` }));
      const response = deltaResponseType.encode({ type_url: addressUrl, nonce: "n", resources });
      const large = Buffer.alloc(4 * response.length + 1000);
      large.set(response, 1000);
      await delta.receive(large.subarray(1000, 1000 + response.length), at);
      large.fill(0);
      const held = delta.held(addressUrl).get("w0")!;
      assert.equal(held instanceof ResourceInResponse, count > 1024);
      if (held instanceof ResourceInResponse) {
        assert.equal(held.shares.bytes.buffer.byteLength, response.length);
      }
      assert.deepEqual([...held.value], [...resources[0].resource!.value]);
    }
  });
});
