import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type Place, placeOn, tierRank, tiersOf } from "../../src/locality/mod.ts";
import type { LoadBalancer, Scope } from "../../src/mesh/mod.ts";
import { randomFrom } from "./_random.ts";

/** Where `region/zone` is. */
function placeAt(text: string): Place {
  const [region, zone] = text.split("/");
  return { ...placeOn(""), locality: { region, zone, subzone: "" } };
}

const node = placeAt("r/z");
const regionAndZone: readonly Scope[] = ["Region", "Zone"];

function balancer(mode: LoadBalancer["mode"], routingPreferences = regionAndZone): LoadBalancer {
  return { mode, routingPreferences, healthPolicy: "OnlyHealthy" };
}

function sorted<T>(
  from: Place,
  loadBalancer: LoadBalancer | null,
  endpoints: readonly T[],
  placeOf: (one: T) => Place,
): { tiers: T[][]; notLocal: T[] } {
  const ranked = endpoints.map((one) => ({ one, rank: tierRank(from, loadBalancer, placeOf(one)) }));
  const local = ranked.flatMap(({ one, rank }) => rank === undefined ? [] : [{ one, rank }]);
  return {
    tiers: tiersOf(local).map(({ members }) => members.map(({ one }) => one)),
    notLocal: ranked.flatMap(({ one, rank }) => rank === undefined ? [one] : []),
  };
}

/** Endpoints are the texts of their places, with a number behind it. */
function tiers(loadBalancer: LoadBalancer | null, endpoints: readonly string[]) {
  return sorted(node, loadBalancer, endpoints, (one) => placeAt(one.replace(/ .*/, "")));
}

const mixed = ["x/z 1", "r/z 2", "r/y 3", "r/z 4", "x/y 5", "r/y 6"];

describe("tiersOf", () => {
  it("Failover: one tier for each rank, nearest first, each in the order of its endpoints", () => {
    assert.deepEqual(tiers(balancer("Failover"), mixed), {
      tiers: [["r/z 2", "r/z 4"], ["r/y 3", "r/y 6"], ["x/z 1", "x/y 5"]],
      notLocal: [],
    });
  });

  it("Failover: dense, whichever ranks occur", () => {
    assert.deepEqual(tiers(balancer("Failover"), ["x/z 1", "r/z 2"]).tiers, [["r/z 2"], ["x/z 1"]]);
    assert.deepEqual(tiers(balancer("Failover"), ["x/z 1"]).tiers, [["x/z 1"]]);
  });

  it("Strict: only those that agree in everything, the others are told", () => {
    assert.deepEqual(tiers(balancer("Strict"), mixed), {
      tiers: [["r/z 2", "r/z 4"]],
      notLocal: ["x/z 1", "r/y 3", "x/y 5", "r/y 6"],
    });
    assert.deepEqual(tiers(balancer("Strict"), ["r/y 1"]), { tiers: [], notLocal: ["r/y 1"] });
  });

  for (const mode of ["Strict", "Failover"] as const) {
    it(`${mode} without preferences: one tier of all`, () => {
      assert.deepEqual(tiers(balancer(mode, []), mixed), { tiers: [mixed], notLocal: [] });
    });
  }

  for (const [what, one] of [["no load balancer", null], ["Standard", balancer("Standard")]] as const) {
    it(`${what}: one tier of all, whatever is preferred`, () => {
      assert.deepEqual(tiers(one, mixed), { tiers: [mixed], notLocal: [] });
    });
  }

  it("nobody: no tier, in no mode", () => {
    for (const one of [null, balancer("Standard"), balancer("Strict"), balancer("Failover")]) {
      assert.deepEqual(tiers(one, []), { tiers: [], notLocal: [] });
    }
  });

  it("twelve ranks, as a list of six has with the network first: twelve tiers", () => {
    const preferences: readonly Scope[] = ["Network", "Region", "Zone", "Subzone", "Node", "Cluster"];
    const near = {
      network: "n",
      locality: { region: "r", zone: "z", subzone: "s" },
      node: "h",
      clusterId: "c",
    };
    const endpoints = ["n", "other"].flatMap((network) =>
      [0, 1, 2, 3, 4, 5].map((agreeing): Place => ({
        network,
        locality: {
          region: agreeing > 0 ? "r" : "",
          zone: agreeing > 1 ? "z" : "",
          subzone: agreeing > 2 ? "s" : "",
        },
        node: agreeing > 3 ? "h" : "",
        clusterId: agreeing > 4 ? "c" : "",
      }))
    );
    const random = randomFrom(5);
    const shuffled = endpoints.map((place) => ({ place, by: random() })).sort((a, b) => a.by - b.by)
      .map(({ place }) => place);
    const { tiers } = sorted(near, balancer("Failover", preferences), shuffled, (one) => one);
    const wanted = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6].map((i) => [endpoints[i]]);
    assert.deepEqual(tiers, wanted);
  });
});
