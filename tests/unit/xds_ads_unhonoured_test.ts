/** Mode ads: settings that change who is chosen, or whether connects go through, and that weft does not follow, are named. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  type AssignmentMessage,
  assignmentType,
  type HashPolicyMessage,
  type LeastRequestMessage,
  leastRequestType,
  type MaglevMessage,
  maglevType,
  type RandomMessage,
  randomType,
  type RingHashMessage,
  ringHashType,
  type RoundRobinMessage,
  roundRobinType,
} from "../../src/xds/ads/messages.ts";
import { readRecordings, streamsDirectory } from "../kit/streams.ts";
import { converse } from "./_ads_conversation.ts";
import {
  assignment,
  cluster,
  encode,
  http,
  listener,
  locality,
  type Parts,
  routes,
  tcp,
  urls,
} from "./_ads_messages.ts";
import { adsReplay } from "./_xds_replay_modes.ts";

type ClusterParts = NonNullable<Parameters<typeof cluster>[1]>;

/** What is served by one cluster, and the notes. */
async function of(message: ClusterParts, endpoints = assignment("web", "10.0.0.1:1")) {
  const talk = converse();
  await talk.open();
  await talk.send("cds", "1", cluster("web", message));
  await talk.send("eds", "1", endpoints);
  await talk.send("lds", "1", listener("l", "10.96.0.1:80", [tcp("web")]));
  return { served: talk.served["10.96.0.1:80"], notes: talk.protocol.notes };
}

const random = 3, leastRequest = 1, ringHash = 2, maglev = 5;

/** `load_balancing_policy` with these extensions, such as `maglev.v3.Maglev`. */
function policies(...all: readonly (readonly [type: string, value: Uint8Array])[]): ClusterParts {
  const prefix = "type.googleapis.com/envoy.extensions.load_balancing_policies";
  return {
    load_balancing_policy: {
      policies: all.map(([type, value]) => ({
        typed_extension_config: { typed_config: { type_url: `${prefix}.${type}`, value } },
      })),
    },
  };
}
const ofLeastRequest = (message: Parts<LeastRequestMessage>) =>
  policies(["least_request.v3.LeastRequest", encode(leastRequestType, message)]);
const ofRoundRobin = (message: Parts<RoundRobinMessage>) =>
  policies(["round_robin.v3.RoundRobin", encode(roundRobinType, message)]);
const ofRandom = (message: Parts<RandomMessage>) =>
  policies(["random.v3.Random", encode(randomType, message)]);
const ofRingHash = (message: Parts<RingHashMessage>) =>
  policies(["ring_hash.v3.RingHash", encode(ringHashType, message)]);
const ofMaglev = (message: Parts<MaglevMessage>) =>
  policies(["maglev.v3.Maglev", encode(maglevType, message)]);

const slowStart = "slow_start_config is not honoured, a new endpoint has its whole share at once";
const zoneAware = "zone_aware_lb_config is not honoured, zones are not preferred";
const balance = "hash_balance_factor is not honoured, no endpoint is passed over for its load";
const byName = "use_hostname_for_hashing is not honoured, endpoints are told apart by their addresses";
const factor = { hash_balance_factor: { value: 150 } };

describe("xds ads: what a cluster asks for and does not get is named", () => {
  const cases: readonly (readonly [what: string, message: ClusterParts, note: string])[] = [
    [
      "outlier_detection",
      { outlier_detection: {} },
      "outlier_detection is not read, endpoints are set aside as weft's own flags say",
    ],
    ["health_checks", { health_checks: [{}] }, "health_checks is not honoured, endpoints are not probed"],
    [
      "lb_subset_config",
      { lb_subset_config: { subset_selectors: [{}] } },
      "lb_subset_config is not honoured, endpoints are chosen among all",
    ],
    [
      "upstream_bind_config",
      { upstream_bind_config: {} },
      "upstream_bind_config is not honoured, connections come from the application's own address",
    ],
    [
      "per_host_thresholds",
      { circuit_breakers: { per_host_thresholds: [{ max_connections: { value: 5 } }] } },
      "max_connections of per_host_thresholds is not honoured",
    ],
    [
      "max_pending_requests",
      { circuit_breakers: { thresholds: [{ max_pending_requests: { value: 5 } }] } },
      "max_pending_requests is not honoured, connects under way are not limited by themselves",
    ],
    ["zone_aware_lb_config", { common_lb_config: { zone_aware_lb_config: {} } }, zoneAware],
    [
      "slow start of ROUND_ROBIN",
      { lb_policy: 0, round_robin_lb_config: { slow_start_config: {} } },
      slowStart,
    ],
    [
      "slow start of LEAST_REQUEST",
      { lb_policy: leastRequest, least_request_lb_config: { slow_start_config: {} } },
      slowStart,
    ],
    [
      "active_request_bias",
      { lb_policy: leastRequest, least_request_lb_config: { active_request_bias: {} } },
      "active_request_bias is not honoured",
    ],
    [
      "hash_balance_factor of RING_HASH",
      { lb_policy: ringHash, common_lb_config: { consistent_hashing_lb_config: factor } },
      balance,
    ],
    [
      "use_hostname_for_hashing of MAGLEV",
      {
        lb_policy: maglev,
        common_lb_config: { consistent_hashing_lb_config: { use_hostname_for_hashing: true } },
      },
      byName,
    ],
    ["slow start of LeastRequest", ofLeastRequest({ slow_start_config: {} }), slowStart],
    [
      "active_request_bias of LeastRequest",
      ofLeastRequest({ active_request_bias: {} }),
      "active_request_bias is not honoured",
    ],
    [
      "FULL_SCAN",
      ofLeastRequest({ selection_method: 1 }),
      "selection_method FULL_SCAN is not honoured, only choice_count endpoints are compared",
    ],
    [
      "zones of LeastRequest",
      ofLeastRequest({ locality_lb_config: { zone_aware_lb_config: {} } }),
      zoneAware,
    ],
    ["zones of RoundRobin", ofRoundRobin({ locality_lb_config: { zone_aware_lb_config: {} } }), zoneAware],
    ["slow start of RoundRobin", ofRoundRobin({ slow_start_config: {} }), slowStart],
    ["zones of Random", ofRandom({ locality_lb_config: { zone_aware_lb_config: {} } }), zoneAware],
    ["hash_balance_factor of RingHash", ofRingHash({ consistent_hashing_lb_config: factor }), balance],
    ["the deprecated one", ofRingHash(factor), balance],
    ["use_hostname_for_hashing of RingHash", ofRingHash({ use_hostname_for_hashing: true }), byName],
    [
      "hash_policy of Maglev",
      ofMaglev({ consistent_hashing_lb_config: { hash_policy: [{}, { cookie: {}, header: {} }] } }),
      "hash_policy by header, cookie is not honoured, the client's address is hashed",
    ],
    ["hash_balance_factor of Maglev", ofMaglev({ consistent_hashing_lb_config: factor }), balance],
    [
      "policies that come before the first known one",
      policies(["override_host.v3.OverrideHost", new Uint8Array()], ["random.v3.Random", new Uint8Array()]),
      "load_balancing_policy (OverrideHost) is not honoured, the next one that is known, Random, takes its place",
    ],
  ];
  for (const [what, message, note] of cases) {
    it(what, async () => {
      assert.deepEqual(await of({ lb_policy: random, ...message }), {
        served: "10.0.0.1:1",
        notes: [`${note}: web`],
      });
    });
  }

  const silent: readonly (readonly [what: string, message: ClusterParts])[] = [
    ["settings of a policy that is not in force", {
      lb_policy: random,
      round_robin_lb_config: { slow_start_config: {} },
      least_request_lb_config: { active_request_bias: {}, slow_start_config: {} },
      common_lb_config: { consistent_hashing_lb_config: factor },
    }],
    ["what a cluster says beside its load_balancing_policy", {
      ...ofRandom({}),
      lb_policy: leastRequest,
      least_request_lb_config: { slow_start_config: {} },
      common_lb_config: { zone_aware_lb_config: {} },
    }],
    ["limits that are none, or of another priority", {
      lb_policy: random,
      circuit_breakers: {
        thresholds: [
          { priority: 1, max_pending_requests: { value: 1 } },
          { max_pending_requests: { value: 0xffff_ffff } },
        ],
        per_host_thresholds: [{ priority: 1, max_connections: { value: 1 } }],
      },
    }],
    ["subsets without a selector", { lb_policy: random, lb_subset_config: { subset_selectors: [] } }],
  ];
  for (const [what, message] of silent) {
    it(`but not ${what}`, async () => assert.deepEqual((await of(message)).notes, []));
  }

  it("and so is what an assignment asks for", async () => {
    const message: Parts<AssignmentMessage> = {
      cluster_name: "web",
      endpoints: [
        locality(["10.0.0.1:1"]),
        { leds_cluster_locality_config: {}, locality: { region: "r", zone: "", sub_zone: "" } },
      ],
      policy: { drop_overloads: [{}], endpoint_stale_after: {} },
    };
    const endpoints = { type_url: urls.eds, value: encode(assignmentType, message) };
    assert.deepEqual((await of({ lb_policy: random }, endpoints)).notes, [
      "drop_overloads is not honoured, nothing is dropped: web",
      "endpoint_stale_after is not honoured, endpoints serve until others come: web",
      "leds_cluster_locality_config is not read, its endpoints are not known: web",
    ]);
  });
});

describe("xds ads: locality weights of an extension", () => {
  const unequal = assignment(
    "web",
    locality(["10.0.0.1:1"], { load_balancing_weight: { value: 1 } }),
    locality(["10.0.0.2:1"], { load_balancing_weight: { value: 3 } }),
  );
  const weighted = { locality_weighted_lb_config: {} };
  const byLocality = "10.0.0.1:1 10.0.0.2:1×3";
  const all: readonly (readonly [string, ClusterParts])[] = [
    ["Random", ofRandom({ locality_lb_config: weighted })],
    ["RoundRobin", ofRoundRobin({ locality_lb_config: weighted })],
    ["LeastRequest", ofLeastRequest({ locality_lb_config: weighted })],
    ["RingHash", ofRingHash(weighted)],
    ["Maglev", ofMaglev(weighted)],
  ];
  for (const [name, message] of all) {
    it(`${name}: are honoured`, async () => {
      assert.deepEqual(await of(message, unequal), { served: byLocality, notes: [] });
    });
  }

  it("those of common_lb_config count only without an extension", async () => {
    const common_lb_config = weighted;
    assert.equal((await of({ common_lb_config }, unequal)).served, byLocality);
    assert.equal((await of({ ...ofRandom({}), common_lb_config }, unequal)).served, "10.0.0.1:1 10.0.0.2:1");
  });
});

describe("xds ads: what makes no sense is refused with its name, and the last good version stays", () => {
  const huge = { value: 2 ** 32 + 1024 };
  const cases: readonly (readonly [ClusterParts, RegExp])[] = [
    [
      { lb_policy: ringHash, ring_hash_lb_config: { maximum_ring_size: huge } },
      /maximum_ring_size is 4294968320, expected at most 8388608/,
    ],
    [
      { lb_policy: ringHash, ring_hash_lb_config: { minimum_ring_size: huge } },
      /minimum_ring_size is 4294968320, expected at most 8388608/,
    ],
    [
      { lb_policy: maglev, maglev_lb_config: { table_size: { value: 2 ** 32 + 65_537 } } },
      /table_size is 4295032833, expected a prime number up to 5000011/,
    ],
    [ofRingHash({ minimum_ring_size: { value: 8_388_609 } }), /minimum_ring_size is 8388609/],
    [ofMaglev({ table_size: { value: 2 ** 32 + 3 } }), /table_size is 4294967299/],
    [ofRingHash({ hash_balance_factor: { value: 99 } }), /hash_balance_factor is 99, expected at least 100/],
    [
      ofMaglev({ consistent_hashing_lb_config: { hash_balance_factor: { value: 0 } } }),
      /hash_balance_factor is 0/,
    ],
  ];
  for (const [message, reason] of cases) {
    it(reason.source, async () => {
      const talk = converse();
      await talk.open();
      await talk.send("cds", "1", cluster("web", { lb_policy: random }));
      await talk.send("eds", "1", assignment("web", "10.0.0.1:1"));
      await talk.send("lds", "1", listener("l", "10.96.0.1:80", [tcp("web")]));
      const [answer] = await talk.send("cds", "2", cluster("web", message));
      assert.equal(answer.version, "1");
      assert.match(answer.error!, reason);
      const [{ name, reason: why }] = talk.protocol.rejections;
      assert.equal(name, "web");
      assert.match(why, reason);
      assert.equal(talk.served["10.96.0.1:80"], "10.0.0.1:1");
    });
  }

  it("overprovisioning_factor is 0", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("web"));
    const policy = { overprovisioning_factor: { value: 0 } };
    const value = encode(assignmentType, { cluster_name: "web", policy });
    const [answer] = await talk.send("eds", "1", { type_url: urls.eds, value });
    assert.match(answer.error!, /web.*overprovisioning_factor is 0/);
  });
});

describe("xds ads: what istiod sends for every cluster makes no noise", () => {
  const directory = streamsDirectory("notes of recorded streams of mode ads");
  if (directory === undefined) return;
  const everywhere = "transport_socket_matches is not honoured, every endpoint is dialled in the clear";
  const expected: Readonly<Record<string, readonly string[]>> = {
    "s1-basics": [everywhere],
    "s2-traffic": [
      "LEAST_REQUEST is not honoured where clusters share traffic by weight, endpoints are chosen at random by weight",
      "listener 0.0.0.0_8080",
      "max_connections is not honoured where clusters share traffic by weight",
      "outlier_detection is not read, endpoints are set aside as weft's own flags say",
      everywhere,
    ],
    "s6-dualstack": ["listener ::_8080", everywhere],
  };
  for (const [scenario, kinds] of Object.entries(expected)) {
    it(scenario, async () => {
      const seen = new Set<string>();
      for (const { steps } of readRecordings(directory, scenario)) {
        const protocol = adsReplay.create();
        for (const { events } of steps) {
          for (const event of events) {
            if (event.kind === "open") await protocol.open(new Date(0));
            else if (event.kind === "in") await protocol.receive(event.bytes, new Date(0));
          }
          // One line for each kind of thing.
          const now = protocol.notes.map((note) => note.split(": ")[0]);
          assert.equal(new Set(now).size, now.length, protocol.notes.join("\n"));
          for (const kind of now) seen.add(kind);
        }
      }
      assert.deepEqual([...seen].sort(), kinds);
    });
  }
});

describe("xds ads: what the kernel cannot hash is said", () => {
  const [header, cookie] = [{ header: {} }, { cookie: {} }];

  it("of routes, where a cluster hashes at all", async () => {
    const talk = converse();
    await talk.open();
    await talk.send(
      "cds",
      "1",
      cluster("ring", { lb_policy: ringHash }),
      cluster("any", { lb_policy: random }),
    );
    await talk.send("eds", "1", assignment("ring", "10.0.0.1:1"), assignment("any", "10.0.0.2:1"));
    await talk.send("lds", "1", listener("l", "0.0.0.0:80", [http("80")]));
    const to = (cluster: string, ...hash_policy: Parts<HashPolicyMessage>[]) => [
      { match: { prefix: "/" }, route: { cluster, hash_policy } },
    ];
    await talk.send(
      "rds",
      "1",
      routes("80", {
        "10.96.0.1": to("ring", cookie, header),
        "10.96.0.2": to("any", header),
        "10.96.0.3": to("ring", {}),
      }),
    );
    assert.equal(talk.served["10.96.0.1:80"], "10.0.0.1:1");
    assert.deepEqual(talk.protocol.notes, [
      "hash_policy by header, cookie is not honoured, the client's address is hashed: ring",
    ]);
  });

  it("of TCP proxies", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("table", { lb_policy: maglev }));
    await talk.send("eds", "1", assignment("table", "10.0.0.1:1"));
    const hashing = (number: number, part: "source_ip" | "filter_state") =>
      listener(`l${number}`, `10.96.0.${number}:80`, [
        tcp({ cluster: "table", hash_policy: [{ [part]: {} }] }),
      ]);
    await talk.send("lds", "1", hashing(1, "source_ip"));
    assert.deepEqual(talk.protocol.notes, []);
    await talk.send("lds", "2", hashing(1, "source_ip"), hashing(2, "filter_state"));
    assert.deepEqual(talk.protocol.notes, [
      "hash_policy by filter_state is not honoured, the client's address is hashed: table",
    ]);
  });
});
