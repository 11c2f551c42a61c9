/** Mode ads: how endpoints are chosen and how many connections they may have, from the cluster to the mesh. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { AssignedPort, Choice } from "../../src/mesh/mod.ts";
import { decodeCluster } from "../../src/xds/ads/decode_cluster.ts";
import {
  leastRequestType,
  type MaglevMessage,
  maglevType,
  type RingHashMessage,
  ringHashType,
} from "../../src/xds/ads/messages.ts";
import { converse } from "./_ads_conversation.ts";
import { assignment, cluster, encode, listener, tcp } from "./_ads_messages.ts";

type Parts = Parameters<typeof cluster>[1];

function decoded(message: Parts): { choice: Choice | undefined; policy: string } {
  const { choice, policy } = decodeCluster(cluster("web", message).value);
  return { choice, policy };
}

/** A policy of `load_balancing_policy`. @param type such as `maglev.v3.Maglev` */
function extension(type: string, value: Uint8Array = new Uint8Array()) {
  const type_url = `type.googleapis.com/envoy.extensions.load_balancing_policies.${type}`;
  return { typed_extension_config: { typed_config: { type_url, value } } };
}

const ring = (message: { [K in keyof RingHashMessage]?: RingHashMessage[K] }) =>
  encode(ringHashType, message);
const maglev = (message: { [K in keyof MaglevMessage]?: MaglevMessage[K] }) => encode(maglevType, message);

describe("xds ads: a cluster's policy", () => {
  const defaults: readonly (readonly [lb_policy: number, name: string, choice: Choice | undefined])[] = [
    [0, "ROUND_ROBIN", { kind: "roundRobin" }],
    [1, "LEAST_REQUEST", { kind: "leastRequest", choices: 2 }],
    [2, "RING_HASH", { kind: "ringHash", minimumSize: 1024, maximumSize: 8_388_608 }],
    [3, "RANDOM", { kind: "random" }],
    [5, "MAGLEV", { kind: "maglev", tableSize: 65_537 }],
    [6, "CLUSTER_PROVIDED", { kind: "random" }],
    [7, "LOAD_BALANCING_POLICY_CONFIG", undefined],
    [99, "99", undefined],
  ];
  for (const [lb_policy, policy, choice] of defaults) {
    it(`${policy} has what Envoy takes where nothing is said`, () => {
      assert.deepEqual(decoded({ lb_policy }), { choice, policy });
    });
  }

  it("has the sizes that the cluster says", () => {
    const least_request_lb_config = { choice_count: { value: 5 } };
    assert.deepEqual(decoded({ lb_policy: 1, least_request_lb_config }).choice, {
      kind: "leastRequest",
      choices: 5,
    });
    const ring_hash_lb_config = { minimum_ring_size: { value: 10 }, maximum_ring_size: { value: 20 } };
    assert.deepEqual(decoded({ lb_policy: 2, ring_hash_lb_config }).choice, {
      kind: "ringHash",
      minimumSize: 10,
      maximumSize: 20,
    });
    assert.deepEqual(decoded({ lb_policy: 5, maglev_lb_config: { table_size: { value: 251 } } }).choice, {
      kind: "maglev",
      tableSize: 251,
    });
  });

  const refused: readonly (readonly [Parts, RegExp])[] = [
    [{ lb_policy: 1, least_request_lb_config: { choice_count: { value: 1 } } }, /choice_count is 1/],
    [
      { lb_policy: 2, ring_hash_lb_config: { maximum_ring_size: { value: 1023 } } },
      /minimum_ring_size is 1024/,
    ],
    [{ lb_policy: 2, ring_hash_lb_config: { maximum_ring_size: { value: 8_388_609 } } }, /at most 8388608/],
    [{ lb_policy: 5, maglev_lb_config: { table_size: { value: 65_536 } } }, /table_size is 65536.*prime/],
    [{ lb_policy: 5, maglev_lb_config: { table_size: { value: 1 } } }, /table_size is 1,/],
    [{ lb_policy: 5, maglev_lb_config: { table_size: { value: 5_000_047 } } }, /up to 5000011/],
  ];
  for (const [message, reason] of refused) {
    it(`is refused: ${reason.source}`, () => assert.throws(() => decoded(message), reason));
  }

  it("is the first extension that weft knows, whatever lb_policy says", () => {
    const policies = [
      extension("override_host.v3.OverrideHost"),
      extension("maglev.v3.Maglev", maglev({ table_size: { value: 13 } })),
      extension("random.v3.Random"),
    ];
    assert.deepEqual(decoded({ lb_policy: 1, load_balancing_policy: { policies } }), {
      choice: { kind: "maglev", tableSize: 13 },
      policy: "Maglev",
    });
  });

  it("has the sizes that an extension says", () => {
    const of = (type: string, value?: Uint8Array) =>
      decoded({ load_balancing_policy: { policies: [extension(type, value)] } }).choice;
    const sizes = ring({ minimum_ring_size: { value: 3 }, maximum_ring_size: { value: 4 } });
    assert.deepEqual(of("ring_hash.v3.RingHash", sizes), {
      kind: "ringHash",
      minimumSize: 3,
      maximumSize: 4,
    });
    const choices = encode(leastRequestType, { choice_count: { value: 3 } });
    assert.deepEqual(of("least_request.v3.LeastRequest", choices), { kind: "leastRequest", choices: 3 });
    assert.deepEqual(of("round_robin.v3.RoundRobin"), { kind: "roundRobin" });
    assert.deepEqual(of("random.v3.Random"), { kind: "random" });
  });

  it("is unknown where weft knows none of the extensions, and says which", () => {
    const policies = [extension("wrr_locality.v3.WrrLocality"), extension("subset.v3.Subset")];
    assert.deepEqual(decoded({ lb_policy: 3, load_balancing_policy: { policies } }), {
      choice: undefined,
      policy: "load_balancing_policy (WrrLocality, Subset)",
    });
  });
});

const limit = (value: number) => ({ circuit_breakers: { thresholds: [{ max_connections: { value } }] } });

/** What is assigned to 10.96.0.1:80. */
function assignedOf({ protocol }: ReturnType<typeof converse>): AssignedPort {
  const services = [...protocol.mesh.services.values()];
  return services.find(({ vips }) => vips[0].address === "10.96.0.1")!.assigned!.get(80)!;
}

describe("xds ads: what is assigned to a service port", () => {
  it("has the policy and limit of its cluster", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("web", { lb_policy: 0, ...limit(7) }));
    await talk.send("eds", "1", assignment("web", "10.0.0.1:1"));
    await talk.send("lds", "1", listener("l", "10.96.0.1:80", [tcp("web")]));
    const { choice, connectionLimit } = assignedOf(talk);
    assert.deepEqual(choice, { kind: "roundRobin" });
    assert.deepEqual(connectionLimit, { cluster: "web", max: 7 });
  });

  it("follows them, and is the same object while nothing changes", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("web", { lb_policy: 3 }), cluster("other"));
    await talk.send("eds", "1", assignment("web", "10.0.0.1:1"), assignment("other", "10.0.0.2:1"));
    await talk.send("lds", "1", listener("l", "10.96.0.1:80", [tcp("web")]));
    const before = assignedOf(talk);
    await talk.send("cds", "2", cluster("web", { lb_policy: 3 }), cluster("other", { lb_policy: 5 }));
    assert.equal(assignedOf(talk), before);
    await talk.send("cds", "3", cluster("web", { lb_policy: 5, ...limit(0) }), cluster("other"));
    const after = assignedOf(talk);
    assert.deepEqual(after, {
      tiers: before.tiers,
      choice: { kind: "maglev", tableSize: 65_537 },
      connectionLimit: { cluster: "web", max: 0 },
    });
    await talk.send("cds", "4", cluster("web", { lb_policy: 5, ...limit(0xffff_ffff) }), cluster("other"));
    assert.equal(assignedOf(talk).connectionLimit, null);
  });

  it("is chosen at random without a limit where several clusters share it", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("web", { lb_policy: 5, ...limit(7) }), cluster("other", limit(7)));
    await talk.send("eds", "1", assignment("web", "10.0.0.1:1"), assignment("other", "10.0.0.2:1"));
    const clusters = [{ name: "web", weight: 1 }, { name: "other", weight: 1 }];
    await talk.send("lds", "1", listener("l", "10.96.0.1:80", [tcp({ weighted_clusters: { clusters } })]));
    const { choice, connectionLimit } = assignedOf(talk);
    assert.deepEqual({ choice, connectionLimit }, { choice: { kind: "random" }, connectionLimit: null });
    assert.ok(
      talk.protocol.notes.includes(
        "max_connections is not honoured where clusters share traffic by weight: other, web",
      ),
      talk.protocol.notes.join("\n"),
    );
  });
});
