/** How near an endpoint is to the node. The rules are those of the ecosystem's reference node proxy (ztunnel 1.31). */

import type { Locality, Scope } from "../mesh/mod.ts";

/** Where a workload (by its traits) or a node is, as far as routing preferences can ask. Empty text is a value like any other. */
export interface Place {
  readonly network: string;
  readonly locality: Locality;
  readonly node: string;
  readonly clusterId: string;
}

/** A place of which nothing is known but its network. */
export function placeOn(network: string): Place {
  return { network, locality: { region: "", zone: "", subzone: "" }, node: "", clusterId: "" };
}

function agreesOn(scope: Scope, a: Place, b: Place): boolean {
  switch (scope) {
    case "Region":
      return a.locality.region === b.locality.region;
    case "Zone":
      return a.locality.zone === b.locality.zone;
    case "Subzone":
      return a.locality.subzone === b.locality.subzone;
    case "Node":
      return a.node === b.node;
    case "Cluster":
      return a.clusterId === b.clusterId;
    case "Network":
      return a.network === b.network;
  }
}

/**
 * The rank of an endpoint: higher is nearer.
 *
 * The preferences are walked in order; each scope that agrees counts 1, and the first that does not ends the walk. Where the first
 * preference is the network, networks that differ are passed over instead, and an endpoint on the node's network ranks above every other
 * one: it gets as much again as the rest of the list can count.
 *
 * @returns `full`: every preference agreed, which is what mode Strict asks for
 */
export function rankOf(
  node: Place,
  preferences: readonly Scope[],
  endpoint: Place,
): { readonly rank: number; readonly full: boolean } {
  const networkFirst = preferences[0] === "Network";
  let count = 0;
  for (const scope of preferences) {
    if (agreesOn(scope, node, endpoint)) count++;
    else if (!(networkFirst && scope === "Network")) break;
  }
  const full = count === preferences.length;
  const bonus = networkFirst && node.network === endpoint.network ? preferences.length - 1 : 0;
  return { rank: count + bonus, full };
}
