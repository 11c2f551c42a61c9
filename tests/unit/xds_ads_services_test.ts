import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { workload } from "../../ffi/mod.ts";
import { randomChoice } from "../../src/mesh/mod.ts";
import { targetKey } from "../../src/xds/ads/frontends.ts";
import { groupFrontends, type ServedFrontend, serviceOf } from "../../src/xds/ads/services.ts";
import { converse } from "./_ads_conversation.ts";
import { assignment, cluster, http, listener, locality, routes, tcp } from "./_ads_messages.ts";

/** A frontend `address:port` called so, served by a cluster. */
function frontend(address: string, port: number, name: string, to = "web"): ServedFrontend {
  const target = { weighted: false, clusters: [{ name: to, weight: 1 }], hashes: [] };
  const served = { tiers: [], choice: randomChoice, connectionLimit: null };
  return { address, port, name, target, targetKey: targetKey(target), served };
}

/** Services as `namespace/hostname: addresses ports`. */
function grouped(...frontends: ServedFrontend[]): string[] {
  const steps = groupFrontends(frontends);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value.map((group) => {
    const { namespace, hostname, vips, ranges, ports } = serviceOf(group, "");
    const addresses = [
      ...vips.map(({ address }) => address),
      ...ranges.map((one) => `${one.address}/${one.prefixLength}`),
    ];
    return `${namespace}/${hostname}: ${addresses.join(" ")} ${[...ports.keys()].join(" ")}`;
  }).sort();
}

const web = "web.shop.svc.cluster.local";

describe("xds ads: services", () => {
  it("have all ports of an address, and the namespace of a host of the cluster", () => {
    assert.deepEqual(grouped(frontend("10.96.0.1", 80, web), frontend("10.96.0.1", 443, web)), [
      `shop/${web}: 10.96.0.1 80 443`,
    ]);
    assert.deepEqual(grouped(frontend("10.96.0.1", 80, "web.example")), ["/web.example: 10.96.0.1 80"]);
  });

  it("have all addresses of one name that are served alike", () => {
    assert.deepEqual(grouped(frontend("10.96.0.1", 80, web), frontend("fd96::1", 80, web)), [
      `shop/${web}: 10.96.0.1 fd96::1 80`,
    ]);
  });

  it("are several where addresses of one name are not served alike, whatever the order", () => {
    const frontends = [
      frontend("10.96.0.1", 80, web),
      frontend("10.96.0.2", 80, web, "other"),
      frontend("10.96.0.3", 80, web),
      frontend("10.96.0.3", 81, web),
    ];
    const expected = [
      `shop/${web}: 10.96.0.1 80`,
      `shop/${web}~10.96.0.2: 10.96.0.2 80`,
      `shop/${web}~10.96.0.3: 10.96.0.3 80 81`,
    ];
    assert.deepEqual(grouped(...frontends), expected);
    assert.deepEqual(grouped(...frontends.toReversed()), expected);
  });

  it("are called by their address where the names differ or nothing says one", () => {
    assert.deepEqual(
      grouped(frontend("10.96.0.1", 80, "a"), frontend("10.96.0.1", 81, "b"), frontend("10.96.0.2", 80, "")),
      ["/10.96.0.1: 10.96.0.1 80 81", "/10.96.0.2: 10.96.0.2 80"],
    );
    assert.deepEqual(grouped(frontend("10.96.0.1", 80, "a"), frontend("10.96.0.1", 81, "")), [
      "/a: 10.96.0.1 80 81",
    ]);
  });

  it("have ranges too", () => {
    assert.deepEqual(grouped(frontend("10.96.0.0/24", 80, "range")), ["/range: 10.96.0.0/24 80"]);
  });
});

/** Everything that one cluster leads to. */
async function withCluster(name: string, message: Parameters<typeof cluster>[1], to = tcp(name)) {
  const talk = converse();
  await talk.open();
  await talk.send("cds", "1", cluster(name, message), cluster("other"));
  await talk.send("eds", "1", assignment(name, "10.0.0.1:1"), assignment("other"));
  await talk.send("lds", "1", listener("l", "10.96.0.1:80", [to]));
  return { served: talk.served["10.96.0.1:80"], notes: talk.protocol.notes };
}

describe("xds ads: clusters that are left alone", () => {
  it("dial the original destination", async () => {
    assert.deepEqual(await withCluster("web", { type: 4, lb_policy: 6 }), { served: undefined, notes: [] });
  });

  it("have names for endpoints, or a type that weft does not know", async () => {
    const load_assignment = { cluster_name: "web", endpoints: [locality(["web.shop:80"])] };
    assert.deepEqual(await withCluster("web", { type: 1, load_assignment }), {
      served: undefined,
      notes: ["endpoints are names: left alone: web"],
    });
    assert.deepEqual(await withCluster("web", { cluster_type: { name: "envoy.clusters.aggregate" } }), {
      served: undefined,
      notes: ["cluster type envoy.clusters.aggregate: left alone: web"],
    });
  });

  it("leave those alone that share their traffic", async () => {
    const clusters = [{ name: "web", weight: 1 }, { name: "other", weight: 1 }];
    const { served, notes } = await withCluster(
      "web",
      { type: 4, lb_policy: 6 },
      tcp({ weighted_clusters: { clusters } }),
    );
    assert.equal(served, undefined);
    assert.ok(notes.includes("left alone with all clusters that share its traffic: web"), notes.join("\n"));
  });
});

describe("xds ads: clusters with endpoints of their own", () => {
  for (const [type, name] of [[0, "STATIC"], [1, "STRICT_DNS"], [2, "LOGICAL_DNS"]] as const) {
    it(`${name} is served by the addresses in it`, async () => {
      const load_assignment = { cluster_name: "web", endpoints: [locality(["10.0.0.7:1", "[fd00::7]:1"])] };
      const { served } = await withCluster("web", { type, load_assignment });
      assert.equal(served, "10.0.0.7:1 fd00::7:1");
    });
  }

  it("refuse where there are none", async () => {
    assert.equal((await withCluster("BlackHoleCluster", { type: 0 })).served, "");
  });
});

describe("xds ads: what is not honoured is said", () => {
  it("policies, transports, but not a limit", async () => {
    const max_connections = { value: 7 };
    const { served, notes } = await withCluster("web", {
      lb_policy: 1,
      least_request_lb_config: { choice_count: { value: 64 } },
      circuit_breakers: { thresholds: [{ priority: 1, max_connections: { value: 1 } }, { max_connections }] },
      transport_socket: { name: "tls" },
      transport_socket_matches: [
        { name: "tlsMode-istio", transport_socket: { name: "envoy.transport_sockets.tls" } },
        { name: "tlsMode-disabled", transport_socket: { name: "envoy.transport_sockets.raw_buffer" } },
      ],
    });
    assert.equal(served, "10.0.0.1:1");
    assert.deepEqual(notes, [
      `choice_count is honoured up to ${workload.bound.MOST_CHOICES}: web (64)`,
      "dialled in the clear, not wrapped: web (tls)",
      "transport_socket_matches is not honoured, every endpoint is dialled in the clear: web (tlsMode-istio)",
    ]);
  });

  it("but nothing of what makes no difference", async () => {
    const raw = { name: "envoy.transport_sockets.raw_buffer" };
    const none = {
      circuit_breakers: { thresholds: [{ max_connections: { value: 0xffff_ffff } }] },
      transport_socket: raw,
      transport_socket_matches: [{ name: "tlsMode-disabled", transport_socket: raw }],
    };
    assert.deepEqual((await withCluster("web", { lb_policy: 3, ...none })).notes, []);
  });

  it("a cluster of several without usable endpoints", async () => {
    const clusters = [{ name: "web", weight: 1 }, { name: "other", weight: 9 }];
    const { served, notes } = await withCluster(
      "web",
      { lb_policy: 3 },
      tcp({ weighted_clusters: { clusters } }),
    );
    assert.equal(served, "10.0.0.1:1");
    assert.ok(notes.includes("no usable endpoint, its share of the traffic goes to the others: other"));
  });

  it("a panic threshold, where some endpoint is unhealthy", async () => {
    const talk = converse();
    await talk.open();
    const calm = { healthy_panic_threshold: { value: 0 } };
    await talk.send("cds", "1", cluster("web"), cluster("calm", { common_lb_config: calm }));
    const down = locality(["10.0.0.1:1", { at: "10.0.0.2:1", health: 2 }]);
    await talk.send("eds", "1", assignment("web", down), assignment("calm", down));
    await talk.send(
      "lds",
      "1",
      listener("a", "10.96.0.1:80", [tcp("web")]),
      listener("b", "10.96.0.2:80", [tcp("calm")]),
    );
    assert.deepEqual(talk.protocol.notes.filter((note) => note.includes("panic")), [
      "healthy_panic_threshold is not honoured, unhealthy endpoints are never chosen: web",
    ]);
  });

  it("with a few names and how many more", async () => {
    const talk = converse();
    await talk.open();
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const many = { lb_policy: 1, least_request_lb_config: { choice_count: { value: 33 } } };
    await talk.send("cds", "1", ...names.map((name) => cluster(name, many)));
    await talk.send("lds", "1", listener("w", "0.0.0.0:80", [http("80")]));
    const hosts = Object.fromEntries(names.map((name, i) => [`10.96.0.${i}`, name]));
    await talk.send("rds", "1", routes("80", hosts));
    const listed = "a (33), b (33), c (33), d (33), e (33) and 2 more";
    assert.ok(talk.protocol.notes.includes(`choice_count is honoured up to 32: ${listed}`));
  });
});
