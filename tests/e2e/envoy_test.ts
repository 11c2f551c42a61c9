/** The fake control plane against a real client: what it sends, Envoy accepts, and understands as weft does. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { decodeAssignment } from "../../src/xds/ads/decode_assignment.ts";
import { decodeCluster } from "../../src/xds/ads/decode_cluster.ts";
import {
  type Any,
  anyType,
  createFieldReader,
  type DiscoveryRequest,
  discoveryResponseType,
} from "../../src/xds/proto/mod.ts";
import { type ControlStream, createControlPlane, eventually } from "../kit/mod.ts";
import { envoyBinary, startEnvoy } from "../kit/envoy.ts";
import { readRecordings, streamsDirectory } from "../kit/streams.ts";
import {
  assignment,
  cluster,
  http,
  listener,
  routes,
  type ShortType,
  tcp,
  urls,
} from "../unit/_ads_messages.ts";

const binary = await envoyBinary("the fake control plane against Envoy");
const withinMs = 15_000;

/** A field of a message with less than 128 bytes. */
function field(number: number, ...bytes: readonly number[]): number[] {
  assert.ok(number < 16 && bytes.length < 128);
  return [number << 3 | 2, bytes.length, ...bytes];
}

/** What Envoy insists on and weft does not read, added to an encoded message: protobuf merges what is concatenated. */
function merged({ type_url, value }: Any, ...more: readonly number[]): Any {
  return { type_url, value: Uint8Array.of(...value, ...more) };
}

/** Endpoints of a cluster, and routes of an HTTP filter: a ConfigSource `{ads: {}, resource_api_version: V3}` in field 3. */
const fromAds = field(3, ...field(1, ...field(3), 6 << 3, 2));
const letter = "x".charCodeAt(0);
/** `stat_prefix` of a TCP proxy, and of an HTTP connection manager. */
const statPrefix = { tcp: field(1, letter), http: field(2, letter) };
const routerFilter = field(
  5,
  ...field(1, letter),
  ...field(
    4,
    ...anyType.encode({ type_url: "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" }),
  ),
);

const edsCluster = (name: string) => merged(cluster(name), ...fromAds);

/** A listener on a free port with the one filter of that chain, completed for Envoy. */
function listenerOf(name: "tcp" | "http", chain: ReturnType<typeof tcp>, ...more: readonly number[]): Any {
  const filters = chain.filters!.map(({ typed_config }) => ({
    name,
    typed_config: merged(typed_config as Any, ...statPrefix[name], ...more),
  }));
  return listener(name, "127.0.0.1:0", [{ filters }]);
}

/** A control plane's stream with Envoy at its other end. It fails on the first rejection. */
function converse(stream: ControlStream) {
  const last = new Map<string, DiscoveryRequest>();
  const order: ShortType[] = [];
  const shortOf = (url: string) => (Object.keys(urls) as ShortType[]).find((type) => urls[type] === url)!;
  let nonces = 0;

  async function until(type: ShortType, holds: (request: DiscoveryRequest) => boolean) {
    for (;;) {
      const known = last.get(type);
      if (known !== undefined && holds(known)) return known;
      const request = await stream.sotwRequest(withinMs);
      assert.equal(request.error_detail, null, `${request.error_detail?.message}`);
      const short = shortOf(request.type_url);
      if (!last.has(short)) order.push(short);
      last.set(short, request);
    }
  }

  return {
    /** The types in the order in which they were asked for first. */
    order,
    /** Waits until Envoy asks for just these names. */
    asks: (type: ShortType, ...names: readonly string[]) =>
      until(type, ({ resource_names }) => `${resource_names.toSorted()}` === `${names.toSorted()}`),
    /**
     * Sends a response. What it gives waits until Envoy has accepted it, which for clusters Envoy puts off until they have endpoints.
     */
    send: async (type: ShortType, version: string, ...resources: readonly Any[]) => {
      await until(type, () => true);
      const nonce = `${type}-${++nonces}`;
      stream.sendSotw({ type_url: urls[type], version_info: version, nonce, resources });
      return {
        accepted: async () => {
          const { version_info } = await until(type, ({ response_nonce }) => response_nonce === nonce);
          assert.equal(version_info, version, `${type}: the version of the answer to ${nonce}`);
        },
      };
    },
  };
}

/** A server that tells its name to each connection, and answers HTTP with it. */
function serve(name: string) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const body = new TextEncoder().encode(
    `HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\nconnection: close\r\n\r\n${name}`,
  );
  const serving = (async () => {
    for await (const conn of listener) {
      await conn.read(new Uint8Array(4096)).then(() => conn.write(body)).catch(() => {});
      conn.close();
    }
  })();
  return {
    at: `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await serving;
    },
  };
}

/** Who answers there. */
async function ask({ port }: { readonly port: number }): Promise<string> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const response = await fetch(`http://127.0.0.1:${port}/`, { client });
  const body = await response.text();
  assert.equal(response.status, 200, body);
  return body;
}

/** A control plane with Envoy connected to it. */
async function startWorld() {
  await using stack = new AsyncDisposableStack();
  const socket = `${await Deno.makeTempDir()}/xds.sock`;
  stack.defer(() => Deno.remove(socket.replace(/\/[^/]*$/, ""), { recursive: true }));
  const plane = stack.use(await createControlPlane({ listen: `unix:${socket}` }));
  const envoy = stack.use(await startEnvoy(binary!, socket));
  // It goes first, as in other tests: Deno's HTTP/2 server may abort over a client that goes well.
  stack.defer(plane.stop);
  const stream = await plane.stream(withinMs);
  const all = stack.move();
  return { envoy, stream, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

const describeEnvoy = binary === undefined ? describe.ignore : describe;

describeEnvoy("the fake control plane and Envoy", () => {
  it("agree on order, versions and nonces; what is served is made before it is broken", async () => {
    await using old = serve("old");
    await using young = serve("new");
    await using world = await startWorld();
    const { envoy, stream } = world;
    const { order, asks, send } = converse(stream);
    const accept = async (...response: Parameters<typeof send>) => await (await send(...response)).accepted();
    const [a, b] = ["old", "new"];
    const listeners = [
      listenerOf("tcp", tcp(a)),
      listenerOf("http", http("routes"), ...fromAds, ...routerFilter),
    ];
    const first = await send("cds", "1", edsCluster(a));
    await asks("eds", a);
    await accept("eds", "1", assignment(a, old.at));
    await first.accepted();
    await accept("lds", "1", ...listeners);
    await asks("rds", "routes");
    await accept("rds", "1", routes("routes", { "*": a }));
    assert.deepEqual(order, ["cds", "eds", "lds", "rds"]);
    await eventually("both listeners are there", async () => (await envoy.listeners()).size === 2);
    const places = await envoy.listeners();
    const heard = async () => [await ask(places.get("tcp")!), await ask(places.get("http")!)];
    assert.deepEqual(await heard(), ["old", "old"]);

    // What is new comes before what is old goes.
    const both = await send("cds", "2", edsCluster(a), edsCluster(b));
    await asks("eds", a, b);
    assert.deepEqual(await heard(), ["old", "old"]);
    await accept("eds", "2", assignment(a, old.at), assignment(b, young.at));
    await both.accepted();
    assert.deepEqual(await heard(), ["old", "old"]);
    await accept("rds", "2", routes("routes", { "*": b }));
    await eventually("HTTP goes to the new cluster", async () => await ask(places.get("http")!) === "new");
    const weighted = { clusters: [{ name: b, weight: 1 }] };
    await accept("lds", "2", listenerOf("tcp", tcp({ weighted_clusters: weighted })), listeners[1]);
    await accept("cds", "3", edsCluster(b));
    await asks("eds", b);
    await eventually("TCP goes to the new cluster", async () => {
      const place = (await envoy.listeners()).get("tcp");
      return place !== undefined && await ask(place) === "new";
    });
    assert.equal(await ask(places.get("http")!), "new");
    assert.equal(await envoy.endpoints(a), undefined);
    for (const type of ["cluster_manager.cds", "listener_manager.lds"]) {
      assert.equal(await envoy.counter(`${type}.update_rejected`), 0, type);
    }
  });

  it("a rejection is seen: its last good version, its nonce and the reason", async () => {
    await using world = await startWorld();
    const { stream } = world;
    await (await converse(stream).send("cds", "1")).accepted();
    // An EDS cluster that does not say where its endpoints come from.
    const bad = { type_url: urls.cds, version_info: "2", nonce: "bad", resources: [cluster("other")] };
    stream.sendSotw(bad);
    for (;;) {
      const request = await stream.sotwRequest(withinMs);
      if (request.response_nonce !== "bad") continue;
      assert.equal(request.version_info, "1");
      assert.match(request.error_detail!.message, /other/);
      return;
    }
  });

  const directory = streamsDirectory("recorded clusters and endpoints, through Envoy");
  for (const scenario of directory === undefined ? [] : ["s1-basics", "s2-traffic"]) {
    it(`${scenario}: Envoy's endpoints are those that weft reads, after every step`, async () => {
      const [{ steps }] = readRecordings(directory!, scenario);
      await using world = await startWorld();
      const { envoy, stream } = world;
      const { asks, send } = converse(stream);
      const assignments = new Map<string, Any>();
      let clusters: readonly Any[] = [];
      let compared = 0;
      for (const { name: step, events } of steps) {
        for (const event of events) {
          if (event.kind !== "in") continue;
          const { type_url, resources } = discoveryResponseType.decode(event.bytes);
          if (type_url === urls.cds) clusters = resources.map(withoutExtensions);
          if (type_url !== urls.eds) continue;
          for (const one of resources) assignments.set(decodeAssignment(one.value).name, one);
        }
        const names = clusters.map(({ value }) => decodeCluster(value).edsName).filter((name) => name !== "");
        const sent = await send("cds", step, ...clusters);
        await asks("eds", ...names);
        const { accepted } = await send("eds", step, ...names.map((name) => assignments.get(name)!));
        await accepted();
        await sent.accepted();
        for (const name of names) {
          const expected = endpointsOf(assignments.get(name)!);
          assert.deepEqual(await envoy.endpoints(name), expected, `${step}: ${name}`);
          compared += expected.length;
        }
      }
      assert.ok(compared > steps.length, `only ${compared} endpoints compared`);
      assert.equal(await envoy.counter("cluster_manager.cds.update_rejected"), 0);
    });
  }
});

/** As `Envoy.endpoints` has them, by weft's decoding. */
function endpointsOf({ value }: Any): string[] {
  const all = decodeAssignment(value).localities.flatMap(({ priority, endpoints }) =>
    endpoints.map(({ host, port, weight }) =>
      `${host.includes(":") ? `[${host}]` : host}:${port} ${weight} ${priority}`
    )
  );
  return [...new Set(all)].sort();
}

/** Filters, transports, and transports by match: istiod's are extensions that only istio's own Envoy has. */
const extensions = [40, 24, 43];

function withoutExtensions({ type_url, value }: Any): Any {
  const kept: Uint8Array[] = [];
  let from = 0;
  createFieldReader(value)(0, value.length, {
    number: () => {},
    range: (field, start, end) => {
      if (!extensions.includes(field)) return;
      const tagAndLength = 2 + (end - start < 128 ? 1 : end - start < 16384 ? 2 : 3);
      kept.push(value.subarray(from, start - tagAndLength));
      from = end;
    },
  });
  kept.push(value.subarray(from));
  return { type_url, value: new Uint8Array(kept.flatMap((part) => [...part])) };
}
