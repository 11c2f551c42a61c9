/** Ranks by tables: every statement of the worked answers' RULES.md, section 4. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type Place, placeOn, rankOf } from "../../src/locality/mod.ts";
import type { Scope } from "../../src/mesh/mod.ts";

/** A place in a few words: network, region, zone, subzone, node, cluster. */
function at(text: string): Place {
  const [network, region, zone, subzone, node, clusterId] = text.split("/");
  return { network, locality: { region, zone, subzone }, node, clusterId };
}

const node = at("n1/r1/z1/s1/h1/c1");

const scopes: readonly Scope[] = ["Network", "Region", "Zone", "Subzone", "Node", "Cluster"];

/** The node's own place but for one part of it. */
function unlike(scope: Scope): Place {
  const parts = ["n1", "r1", "z1", "s1", "h1", "c1"];
  parts[scopes.indexOf(scope)] = "other";
  return at(parts.join("/"));
}

interface Case {
  readonly why: string;
  readonly preferences: readonly Scope[];
  readonly from?: string;
  readonly to: string;
  readonly rank: number;
  readonly full: boolean;
}

const cases: readonly Case[] = [
  { why: "nothing is asked for", preferences: [], to: "x/x/x/x/x/x", rank: 0, full: true },
  { why: "all agree", preferences: ["Region", "Zone"], to: "/r1/z1///", rank: 2, full: true },
  { why: "the second does not", preferences: ["Region", "Zone"], to: "/r1/z2///", rank: 1, full: false },
  {
    why: "what agrees after the first that does not is worth nothing",
    preferences: ["Region", "Zone", "Subzone"],
    to: "/r2/z1/s1//",
    rank: 0,
    full: false,
  },
  {
    why: "in the order of the list",
    preferences: ["Zone", "Region"],
    to: "/r1/z2///",
    rank: 0,
    full: false,
  },
  {
    why: "a zone's name alone counts where no region is asked for before it",
    preferences: ["Zone"],
    to: "/r2/z1///",
    rank: 1,
    full: true,
  },
  {
    why: "empty is equal to empty",
    preferences: ["Region", "Zone", "Subzone", "Node", "Cluster"],
    from: "/////",
    to: "/////",
    rank: 5,
    full: true,
  },
  {
    why: "empty is not equal to a name",
    preferences: ["Region"],
    from: "/////",
    to: "/r1////",
    rank: 0,
    full: false,
  },
  { why: "a name is not equal to empty", preferences: ["Region"], to: "/////", rank: 0, full: false },
  { why: "upper case is another name", preferences: ["Zone"], to: "//Z1///", rank: 0, full: false },
  {
    why: "a scope named twice counts twice",
    preferences: ["Region", "Region", "Zone"],
    to: "/r1/z2///",
    rank: 2,
    full: false,
  },
  {
    why: "a scope named twice may be all",
    preferences: ["Zone", "Zone"],
    to: "//z1///",
    rank: 2,
    full: true,
  },
  ...([[5, "n1/r1/z1///"], [4, "n1/r1/z2///"], [3, "n1/r2/z1///"], [2, "n2/r1/z1///"], [1, "n2/r1/z2///"], [
    0,
    "n2/r2/z1///",
  ]] as const).map(([rank, to]): Case => ({
    why: `network first, of three: ${to} has rank ${rank}`,
    preferences: ["Network", "Region", "Zone"],
    to,
    rank,
    full: rank === 5,
  })),
  { why: "network alone, the same", preferences: ["Network"], to: "n1/////", rank: 1, full: true },
  { why: "network alone, another", preferences: ["Network"], to: "n2/////", rank: 0, full: false },
  {
    why: "network not first is a scope like any other",
    preferences: ["Region", "Network", "Zone"],
    to: "n2/r1/z1///",
    rank: 1,
    full: false,
  },
  {
    why: "network not first adds nothing of its own",
    preferences: ["Region", "Network", "Zone"],
    to: "n1/r1/z1///",
    rank: 3,
    full: true,
  },
  {
    why: "network first and again: passed over both times",
    preferences: ["Network", "Region", "Network", "Zone"],
    to: "n2/r1/z1///",
    rank: 2,
    full: false,
  },
  {
    why: "network first and again: counted both times, and the rest of the list again",
    preferences: ["Network", "Region", "Network", "Zone"],
    to: "n1/r1/z1///",
    rank: 7,
    full: true,
  },
  {
    why: "network again where it was not first ends the walk",
    preferences: ["Region", "Network", "Network"],
    to: "n2/r1////",
    rank: 1,
    full: false,
  },
  {
    why: "networks without a name are one network",
    preferences: ["Network", "Region"],
    from: "/r1////",
    to: "/r1////",
    rank: 3,
    full: true,
  },
];

describe("rankOf", () => {
  for (const { why, preferences, from, to, rank, full } of cases) {
    it(`${why}: [${preferences.join(", ")}] → ${rank}`, () => {
      assert.deepEqual(rankOf(from ? at(from) : node, preferences, at(to)), { rank, full });
    });
  }

  for (const scope of scopes) {
    it(`${scope} looks at that alone`, () => {
      assert.equal(rankOf(node, [scope], unlike(scope)).full, false);
      for (const other of scopes) if (other !== scope) assert.ok(rankOf(node, [scope], unlike(other)).full);
    });
  }

  it("with the network first, puts all of the node's network above all others", () => {
    const rest: readonly Scope[] = ["Region", "Zone", "Subzone", "Node", "Cluster"];
    const here = rankOf(node, ["Network", ...rest], at("n1/x/x/x/x/x")).rank;
    const elsewhere = rankOf(node, ["Network", ...rest], at("other/r1/z1/s1/h1/c1")).rank;
    assert.ok(here > elsewhere, `${here} > ${elsewhere}`);
  });
});

describe("placeOn", () => {
  it("says nothing but a network", () => {
    assert.deepEqual(placeOn("n"), at("n/////"));
  });
});
