import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { decodeListener } from "../../src/xds/ads/decode_listener.ts";
import { decodeRoute } from "../../src/xds/ads/decode_route.ts";
import { mergeFrontends, readListener } from "../../src/xds/ads/frontends.ts";
import type { Any } from "../../src/xds/proto/mod.ts";
import { catchAll, http, listener, routeConfiguration, routes, tcp } from "./_ads_messages.ts";

/** `address:port` → clusters with weights, and the notes, for listeners with these routes. */
function read(listeners: readonly Any[], tables: readonly Any[] = []) {
  const known = new Map(tables.map((table) => [decodeRoute(table.value).name, decodeRoute(table.value)]));
  const merged = mergeFrontends(
    listeners.map((one) => readListener({ listener: decodeListener(one.value), routes: known })),
  );
  const frontends = [...merged.frontends.values()];
  const { notes } = merged;
  const served = Object.fromEntries(frontends.map(({ address, port, target }) => [
    `${address}:${port}`,
    target.clusters.map(({ name, weight }) => target.weighted ? `${name}×${weight}` : name).join(" "),
  ]));
  return { served, notes, names: frontends.map(({ name }) => name) };
}

const none = { served: {}, notes: [], names: [] };
const range = (address_prefix: string, value: number) => ({ address_prefix, prefix_len: { value } });
const sniffed = { application_protocols: ["http/1.1", "h2c"], transport_protocol: "raw_buffer" };

describe("xds ads: a listener with an address", () => {
  it("is a frontend, and so are its additional addresses", () => {
    const additional_addresses = [{ address: { socket_address: { address: "fd96::1", port_value: 81 } } }];
    const { served, notes } = read([listener("web", "10.96.0.1:80", [tcp("web")], { additional_addresses })]);
    assert.deepEqual(served, { "10.96.0.1:80": "web", "fd96::1:81": "web" });
    assert.deepEqual(notes, []);
  });

  it("leads to weighted clusters", () => {
    const clusters = [{ name: "v1", weight: 80 }, { name: "v2", weight: 20 }];
    const { served } = read([listener("web", "10.96.0.1:80", [tcp({ weighted_clusters: { clusters } })])]);
    assert.deepEqual(served, { "10.96.0.1:80": "v1×80 v2×20" });
  });

  it("leads where the filter chain with the longest range leads that holds the address", () => {
    const chains = [
      tcp("all"),
      tcp("wide", { prefix_ranges: [range("10.96.0.0", 16)] }),
      tcp("long", { prefix_ranges: [range("192.0.2.0", 24), range("10.96.0.0", 24)] }),
      tcp("other", { prefix_ranges: [range("10.96.1.0", 30)] }),
    ];
    assert.deepEqual(read([listener("web", "10.96.0.1:80", chains)]).served, { "10.96.0.1:80": "long" });
  });

  it("leads where the filter chain for its port leads", () => {
    const chains = [tcp("all"), tcp("port", { destination_port: { value: 80 } })];
    assert.deepEqual(read([listener("web", "10.96.0.1:80", chains)]).served, { "10.96.0.1:80": "port" });
  });

  it("leads to its default filter chain where no other is for it, and nowhere without one", () => {
    const chains = [tcp("other", { destination_port: { value: 81 } })];
    const default_filter_chain = tcp("default");
    assert.deepEqual(read([listener("web", "10.96.0.1:80", chains, { default_filter_chain })]).served, {
      "10.96.0.1:80": "default",
    });
    assert.deepEqual(read([listener("web", "10.96.0.1:80", chains)]), none);
  });

  it("is served where what the client sends makes no difference", () => {
    const hosts = routeConfiguration("", { "*": "web" });
    const chains = [http({ route_config: hosts }, sniffed)];
    const default_filter_chain = tcp("web");
    const { served, notes } = read([listener("web", "10.96.0.1:80", chains, { default_filter_chain })]);
    assert.deepEqual(served, { "10.96.0.1:80": "web" });
    assert.deepEqual(notes, []);
  });

  for (
    const [what, chain] of [
      ["protocol", sniffed],
      ["server name", { server_names: ["a.shop"] }],
      ["source", { source_ports: [5000] }],
      ["source type", { source_type: 2 }],
    ] as const
  ) {
    it(`needs L7 where it depends on the client: ${what}`, () => {
      const { served, notes } = read([listener("web", "10.96.0.1:80", [tcp("a", chain), tcp("b")])]);
      assert.deepEqual(served, {});
      assert.deepEqual(notes, [
        "listener web: where a connection to 10.96.0.1:80 goes needs L7: left alone",
      ]);
    });
  }

  it("needs L7 for filters that weft does not know, tunnels and matchers", () => {
    const known = tcp({ cluster: "web", tunneling_config: {} });
    for (
      const one of [
        listener("web", "10.96.0.1:80", [{ filters: [{ name: "redis" }] }]),
        listener("web", "10.96.0.1:80", [{}]),
        listener("web", "10.96.0.1:80", [known]),
        listener("web", "10.96.0.1:80", [tcp("web")], { filter_chain_matcher: {} }),
      ]
    ) {
      const { served, notes } = read([one]);
      assert.deepEqual(served, {});
      assert.match(notes.join(), /^listener web: .*needs L7: left alone$/);
    }
  });

  it("needs L7 where TLS is to end there", () => {
    const chain = { ...tcp("web"), transport_socket: {} };
    for (const at of ["10.96.0.1:80", "0.0.0.0:80"]) {
      const { served, notes } = read([listener("web", at, [chain])]);
      assert.deepEqual(served, {});
      assert.match(notes.join(), /needs L7: left alone/);
    }
  });

  it("is served without the filters before, which are named unless they are harmless", () => {
    const chain = tcp("web");
    const filters = [{ name: "istio.metadata_exchange" }, { name: "rbac" }, ...chain.filters!];
    const { served, notes } = read([listener("web", "10.96.0.1:80", [{ ...chain, filters }])]);
    assert.deepEqual(served, { "10.96.0.1:80": "web" });
    assert.deepEqual(notes, ["listener web: filter rbac is not applied"]);
  });

  it("with HTTP is served by the catch-all that all hosts share, else by that of its own address", () => {
    const of = (hosts: Parameters<typeof routes>[1]) =>
      read([listener("web", "10.96.0.1:80", [http("r")])], [routes("r", hosts)]);
    assert.deepEqual(of({ "a.shop": "web", "*": "web" }).served, { "10.96.0.1:80": "web" });
    assert.deepEqual(of({ "a.shop": "web", "*": "other" }).served, {});
    assert.deepEqual(of({ "a.shop 10.96.0.1": "web", "*": "other" }).served, { "10.96.0.1:80": "web" });
    assert.deepEqual(of({ "10.96.0.1:81": "web", "*": "other" }).served, {});
    assert.deepEqual(of({}).served, {});
  });

  it("has no routes where they have not come", () => {
    const { served, notes } = read([listener("web", "10.96.0.1:80", [http("r")])]);
    assert.deepEqual(served, {});
    assert.match(notes[0], /needs L7/);
  });
});

describe("xds ads: a wildcard listener", () => {
  const hosts = routes("80", {
    "web.shop.svc web 10.96.0.1 [fd96::1]": "web",
    "api.shop.svc 10.96.0.2:80": [
      { name: "crew", match: { prefix: "/", headers: [{}] }, route: { cluster: "special" } },
      catchAll("api"),
      { name: "never", match: { prefix: "/x" }, route: { cluster: "never" } },
    ],
    "paths.shop.svc 10.96.0.3": [{ match: { prefix: "/a" }, route: { cluster: "a" } }],
    "moved.shop.svc 10.96.0.4": [{ name: "all", match: { prefix: "/" }, redirect: {} }],
    "elsewhere.shop.svc 10.96.0.5:8080": "web",
    "names.shop.svc": "web",
    "*": "PassthroughCluster",
  });
  const passthrough = { default_filter_chain: tcp("PassthroughCluster") };
  const wild = listener("0.0.0.0_80", "0.0.0.0:80", [http("80", sniffed)], passthrough);

  it("is a frontend for each address among the domains, by the host's catch-all", () => {
    assert.deepEqual(read([wild], [hosts]).served, { "10.96.0.1:80": "web", "10.96.0.2:80": "api" });
    const additional_addresses = [{ address: { socket_address: { address: "::", port_value: 80 } } }];
    const dual = listener("0.0.0.0_80", "0.0.0.0:80", [http("80")], { additional_addresses });
    assert.deepEqual(read([dual], [hosts]).served, {
      "10.96.0.1:80": "web",
      "10.96.0.2:80": "api",
      "fd96::1:80": "web",
    });
  });

  it("names what needs to see a request", () => {
    assert.deepEqual(read([wild], [hosts]).notes, [
      "listener 0.0.0.0_80: routes 80, host api.shop.svc: needs L7: crew (its catch-all serves all)",
      "listener 0.0.0.0_80: routes 80, host paths.shop.svc: needs L7: route 0 (left alone)",
      "listener 0.0.0.0_80: routes 80, host moved.shop.svc: needs L7: all (left alone)",
      "listener 0.0.0.0_80: routes 80: needs L7, for there is no address among the domains (left alone): " +
      "elsewhere.shop.svc, names.shop.svc",
    ]);
  });

  it("names a few of many hosts without addresses, and how many more", () => {
    const many = Object.fromEntries(
      ["a", "b", "c", "d", "e", "f", "g"].map((name) => [`${name}.shop`, "web"]),
    );
    assert.deepEqual(read([wild], [routes("80", many)]).notes, [
      "listener 0.0.0.0_80: routes 80: needs L7, for there is no address among the domains (left alone): " +
      "a.shop, b.shop, c.shop, d.shop, e.shop and 2 more",
    ]);
  });

  it("calls a frontend what the host is called", () => {
    assert.deepEqual(read([wild], [hosts]).names, ["web.shop.svc", "api.shop.svc"]);
  });

  it("takes routes that stand in the listener", () => {
    const route_config = routeConfiguration("80", { "10.96.0.1": "web" });
    assert.deepEqual(read([listener("w", "0.0.0.0:80", [http({ route_config })])]).served, {
      "10.96.0.1:80": "web",
    });
  });

  it("takes weighted clusters, their weights may be 0 but not all", () => {
    const weighted = (...weights: number[]) => {
      const clusters = weights.map((value, i) => ({ name: `v${i}`, weight: { value } }));
      return routes("80", {
        "10.96.0.1": [{ match: { prefix: "/" }, route: { weighted_clusters: { clusters } } }],
      });
    };
    assert.deepEqual(read([wild], [weighted(9, 0)]).served, { "10.96.0.1:80": "v0×9 v1×0" });
    assert.throws(() => read([wild], [weighted(0, 0)]), /add up to 0/);
  });

  it("with TCP is a frontend for each range", () => {
    const chains = [
      tcp("range", { prefix_ranges: [range("10.96.0.77", 24), range("fd96::", 64), range("192.0.2.1", 32)] }),
      tcp("named", { server_names: ["a.shop"] }),
    ];
    const { served, notes } = read([listener("w", "0.0.0.0:90", chains, passthrough)]);
    assert.deepEqual(served, { "10.96.0.0/24:90": "range", "192.0.2.1:90": "range" });
    assert.deepEqual(notes, ["listener w: TCP by server name a.shop needs L7: left alone"]);
    assert.deepEqual(read([listener("w", "[::]:90", chains)]).served, { "fd96::/64:90": "range" });
  });

  it("for everything else is left alone, and said so unless it is the passthrough", () => {
    assert.deepEqual(read([listener("w", "0.0.0.0:90", [tcp("PassthroughCluster")])]), none);
    assert.deepEqual(read([listener("w", "0.0.0.0:90", [tcp("web")])]).notes, [
      "listener w: web for every address on port 90: left alone",
    ]);
  });

  it("comes after a listener with the address itself, whatever their names", () => {
    const exact = listener("zzz", "10.96.0.1:80", [tcp("exact")]);
    assert.equal(read([wild, exact], [hosts]).served["10.96.0.1:80"], "exact");
  });

  it("of two the one with the lesser name counts, in whatever order they come", () => {
    const [a, b] = ["a", "b"].map((name) => listener(name, "10.96.0.1:80", [tcp(name)]));
    assert.deepEqual(read([a, b]).served, { "10.96.0.1:80": "a" });
    assert.deepEqual(read([b, a]).served, { "10.96.0.1:80": "a" });
  });
});

describe("xds ads: a listener that is not for connections from here", () => {
  it("is inbound, has no address, or only hands on what was redirected to it", () => {
    const chains = [tcp("web")];
    const redirected = listener("virtualOutbound", "0.0.0.0:15001", chains, {
      use_original_dst: { value: true },
    });
    assert.deepEqual(read([redirected]), none);
    assert.deepEqual(read([listener("in", "10.96.0.1:80", chains, { traffic_direction: 1 })]), none);
    assert.deepEqual(
      read([listener("internal", "10.0.0.1:1", chains, { address: null, internal_listener: {} })]),
      none,
    );
  });

  it("is for UDP, a UNIX socket or a name: said so", () => {
    const address = { socket_address: { address: "10.96.0.1", port_value: 53, protocol: 1 } };
    assert.deepEqual(read([listener("dns", "10.96.0.1:53", [], { address })]).notes, [
      "listener dns: UDP is left alone",
    ]);
    const pipe = { pipe: { path: "/run/x.sock" } };
    assert.deepEqual(read([listener("unix", "10.96.0.1:53", [tcp("x")], { address: pipe })]).notes, [
      "listener unix: /run/x.sock is no IP address: left alone",
    ]);
  });

  it("would refuse what no service names: said so", () => {
    const use_original_dst = { value: true };
    const black = listener("virtualOutbound", "0.0.0.0:15001", [tcp("BlackHoleCluster")], {
      use_original_dst,
    });
    assert.deepEqual(read([black]).notes, [
      "listener virtualOutbound: would refuse destinations that no service names; weft leaves them alone",
    ]);
  });
});

describe("xds ads: the name of a frontend", () => {
  const nameOf = (cluster: string) => read([listener("l", "10.96.0.1:80", [tcp(cluster)])]).names[0];

  it("is the host of istiod's clusters on the listener's own port, else unknown", () => {
    assert.equal(nameOf("outbound|80||web.shop.svc.cluster.local"), "web.shop.svc.cluster.local");
    assert.equal(nameOf("outbound|80|v1|web.shop.svc.cluster.local"), "web.shop.svc.cluster.local");
    assert.equal(nameOf("outbound|81||web.shop.svc.cluster.local"), "");
  });

  it("is the cluster of any other control plane", () => {
    assert.equal(nameOf("service_web"), "service_web");
  });
});
