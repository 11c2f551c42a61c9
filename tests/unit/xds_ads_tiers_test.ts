import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { decodeAssignment } from "../../src/xds/ads/decode_assignment.ts";
import { share, weightsOf } from "../../src/xds/ads/shares.ts";
import { type ClusterTiers, noTiers, tiersOfCluster, tiersOfTarget } from "../../src/xds/ads/tiers.ts";
import type { Any } from "../../src/xds/proto/mod.ts";
import { assignment, encode, locality, type Parts } from "./_ads_messages.ts";
import { type AssignmentMessage, assignmentType, type LocalityMessage } from "../../src/xds/ads/messages.ts";

const [unknown, healthy, unhealthy, draining, timeout, degraded] = [0, 1, 2, 3, 4, 5];

type Tiers = ClusterTiers[4];

/** The tiers as text: `address:port×weight`, tiers apart by bars. */
function text(tiers: Tiers): string {
  return tiers.map((tier) =>
    tier.map(({ address, port, weight }) => `${address}:${port}×${weight}`).join(" ")
  )
    .join(" | ");
}

function tiersOf(resource: Any, localityWeighted = false): ClusterTiers {
  return tiersOfCluster(decodeAssignment(resource.value), localityWeighted);
}

function v4(localityWeighted: boolean, ...localities: readonly (string | Parts<LocalityMessage>)[]): string {
  return text(tiersOf(assignment("web", ...localities), localityWeighted)[4]);
}

/** A locality with a weight. */
function weighted(value: number, ...endpoints: Parameters<typeof locality>[0]): Parts<LocalityMessage> {
  return locality(endpoints, { load_balancing_weight: { value } });
}

describe("xds ads: tiers of a cluster", () => {
  it("are its priorities, nearest first, whatever their order and gaps", () => {
    assert.equal(
      v4(
        false,
        locality(["10.0.0.3:1"], { priority: 128 }),
        locality(["10.0.0.1:1"]),
        locality(["10.0.0.2:1"], { priority: 7 }),
        locality(["10.0.0.4:1"]),
      ),
      "10.0.0.1:1×1 10.0.0.4:1×1 | 10.0.0.2:1×1 | 10.0.0.3:1×1",
    );
  });

  it("have endpoints with their own weights; a locality's weight does not count unless it is asked for", () => {
    const localities = [
      weighted(90, { at: "10.0.0.1:1", weight: 2 }, "10.0.0.2:1"),
      weighted(10, { at: "10.0.0.3:1", weight: 5 }),
    ];
    assert.equal(v4(false, ...localities), "10.0.0.1:1×2 10.0.0.2:1×1 10.0.0.3:1×5");
    assert.equal(v4(true, ...localities), "10.0.0.1:1×6 10.0.0.2:1×3 10.0.0.3:1×1");
  });

  it("have healthy and unknown endpoints, degraded ones behind all of them, and no others", () => {
    const of = (last: number, health: number) => ({ at: `10.0.0.${last}:1`, health });
    const [first, second] = [
      locality([of(1, healthy), of(2, degraded), of(3, draining)]),
      locality([of(4, unknown), of(5, unhealthy), of(6, timeout), of(7, degraded), of(8, 99)], {
        priority: 1,
      }),
    ];
    assert.equal(v4(false, first, second), "10.0.0.1:1×1 | 10.0.0.4:1×1 | 10.0.0.2:1×1 | 10.0.0.7:1×1");
  });

  it("skip a priority without usable endpoints", () => {
    const down = locality([{ at: "10.0.0.1:1", health: unhealthy }]);
    assert.equal(v4(false, down, locality(["10.0.0.2:1"], { priority: 1 })), "10.0.0.2:1×1");
  });

  it("are none without endpoints", () => {
    assert.equal(v4(false), "");
    assert.equal(v4(false, locality([])), "");
  });

  it("count an endpoint that is listed twice once, where it came first", () => {
    assert.equal(
      v4(
        false,
        locality([{ at: "10.0.0.1:1", weight: 6 }, { at: "10.0.0.1:1", weight: 6 }, "10.0.0.1:2"]),
        locality(["10.0.0.1:1", "10.0.0.2:1"], { priority: 1 }),
      ),
      "10.0.0.1:1×6 10.0.0.1:2×1 | 10.0.0.2:1×1",
    );
  });

  it("have for each family the endpoint's first address of it, and no address twice", () => {
    const tiers = tiersOf(assignment(
      "web",
      locality([
        "[fd00::1]:1",
        { at: "10.0.0.1:1", also: ["[fd00::1]:1", "[fd00::9]:1"] },
        { at: "[fd00::2]:1", also: ["10.0.0.2:7"] },
        "[::ffff:10.0.0.3]:1",
      ]),
    ));
    assert.equal(text(tiers[4]), "10.0.0.1:1×1 10.0.0.2:7×1 10.0.0.3:1×1");
    assert.equal(text(tiers[6]), "fd00::1:1×1 fd00::2:1×1");
  });

  it("dial an endpoint behind an internal listener at its endpoint id, and skip what has no address", () => {
    const internal = (endpoint_id: string) => ({
      endpoint: {
        address: { envoy_internal_address: { server_listener_name: "connect_originate", endpoint_id } },
      },
    });
    const pipe = { endpoint: { address: { pipe: { path: "/run/x.sock" } } } };
    const lb_endpoints = [internal("10.0.0.1:8080"), internal("[fd00::1]:8081"), internal("some-id"), pipe];
    const tiers = tiersOf(assignment("web", { lb_endpoints }));
    assert.equal(text(tiers[4]), "10.0.0.1:8080×1");
    assert.equal(text(tiers[6]), "fd00::1:8081×1");
  });
});

describe("xds ads: weights of localities", () => {
  it("are divided among a locality's endpoints by their own weights", () => {
    assert.equal(
      v4(
        true,
        weighted(70, { at: "10.0.0.1:1", weight: 1 }, { at: "10.0.0.2:1", weight: 3 }),
        weighted(30, { at: "10.0.0.3:1", weight: 9 }),
      ),
      // 17.5 : 52.5 : 30
      "10.0.0.1:1×7 10.0.0.2:1×21 10.0.0.3:1×12",
    );
  });

  it("leave nothing for a locality without one, unless none has any", () => {
    assert.equal(v4(true, weighted(1, "10.0.0.1:1"), locality(["10.0.0.2:1"])), "10.0.0.1:1×1");
    assert.equal(v4(true, locality(["10.0.0.1:1"]), locality(["10.0.0.2:1"])), "10.0.0.1:1×1 10.0.0.2:1×1");
  });

  it("shrink once less than 1/1.4 of a locality is usable", () => {
    const down = (last: number) => ({ at: `10.0.0.${last}:1`, health: unhealthy });
    const other = weighted(10, "10.0.1.1:1");
    // 3 of 4 × 1.4 is more than all.
    assert.equal(
      v4(true, weighted(10, "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", down(4)), other),
      "10.0.0.1:1×1 10.0.0.2:1×1 10.0.0.3:1×1 10.0.1.1:1×3",
    );
    // 1 of 2 × 1.4 = 0.7.
    assert.equal(v4(true, weighted(10, "10.0.0.1:1", down(2)), other), "10.0.0.1:1×7 10.0.1.1:1×10");
  });

  it("shrink by the assignment's own overprovisioning factor", () => {
    const endpoints = [
      weighted(10, "10.0.0.1:1", { at: "10.0.0.2:1", health: unhealthy }),
      weighted(10, "10.0.1.1:1"),
    ];
    const message: Parts<AssignmentMessage> = {
      cluster_name: "web",
      endpoints,
      policy: { overprovisioning_factor: { value: 100 } },
    };
    const decoded = decodeAssignment(encode(assignmentType, message));
    assert.equal(text(tiersOfCluster(decoded, true)[4]), "10.0.0.1:1×1 10.0.1.1:1×2");
  });
});

describe("xds ads: tiers of a target", () => {
  const one = tiersOf(assignment("one", "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"));
  const two = tiersOf(
    assignment("two", locality(["10.0.1.1:1", "10.0.1.2:1"]), locality(["10.0.1.3:1"], { priority: 1 })),
  );
  const mixed = (...parts: [ClusterTiers, number][]) =>
    text(tiersOfTarget(parts.map(([tiers, weight]) => ({ tiers, weight }))));

  it("of one cluster are that cluster's, those of both families side by side", () => {
    assert.equal(mixed([two, 5]), text(two[4]));
    const both = tiersOf(assignment("both", "10.0.0.1:1", locality(["[fd00::1]:1"], { priority: 1 })));
    assert.equal(mixed([both, 1]), "10.0.0.1:1×1 fd00::1:1×1");
  });

  it("of several are one: each cluster's nearest tier, by the clusters' weights and the endpoints' own", () => {
    // 80/3 each, 20/2 each.
    assert.equal(
      mixed([one, 80], [two, 20]),
      "10.0.0.1:1×8 10.0.0.2:1×8 10.0.0.3:1×8 10.0.1.1:1×3 10.0.1.2:1×3",
    );
  });

  it("leave out a cluster of weight 0, and give the share of one without endpoints to the others", () => {
    assert.equal(mixed([one, 1], [two, 0]), "10.0.0.1:1×1 10.0.0.2:1×1 10.0.0.3:1×1");
    assert.equal(mixed([one, 1], [noTiers, 9]), "10.0.0.1:1×1 10.0.0.2:1×1 10.0.0.3:1×1");
    assert.equal(mixed([noTiers, 1], [noTiers, 9]), "");
  });

  it("count an endpoint of two clusters once, with both shares", () => {
    const again = tiersOf(assignment("again", "10.0.0.1:1"));
    // 1/2 × 1/3 + 1/2, 1/2 × 1/3 each.
    assert.equal(mixed([one, 1], [again, 1]), "10.0.0.1:1×4 10.0.0.2:1×1 10.0.0.3:1×1");
  });
});

describe("xds ads: exact weights", () => {
  it("are the smallest integers that stand to each other as the shares do", () => {
    assert.deepEqual(weightsOf([share(1, 3), share(1, 2), share(2, 4)]), [2, 3, 3]);
    assert.deepEqual(weightsOf([share(5, 7)]), [1]);
    assert.deepEqual(weightsOf([]), []);
    assert.deepEqual(weightsOf([share(0xffff_ffff, 1), share(1, 1)]), [0xffff_ffff, 1]);
  });

  it("are rounded where they would not fit, the greatest being 4294967295 and none below 1", () => {
    assert.deepEqual(weightsOf([share(1, 1), share(1, 3), share(1, 0xffff_fffe)]), [
      0xffff_ffff,
      0x5555_5555,
      1,
    ]);
    const primes = [4294967291, 4294967279, 4294967231, 4294967197];
    const weights = weightsOf(primes.map((prime) => share(1, prime)));
    assert.ok(weights.every((weight) => weight > 4294967000 && weight <= 0xffff_ffff), String(weights));
    assert.equal(weights[3], 0xffff_ffff, "the one with the smallest denominator");
  });
});
