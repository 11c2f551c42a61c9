/** Traits that say the same are made one object: a mesh has a hundred thousand workloads, and some thousand kinds of them. */

import { sameContents } from "./_equal.ts";
import type { WorkloadTraits } from "./model.ts";

/** How many kinds of workloads on one node are told apart; of more, some that are alike may not share. */
const mostKinds = 16;

/**
 * Makes a function that gives the very same object for traits that say the same.
 *
 * @returns what it is given may change afterwards: a copy is kept
 */
export function createTraitsSharing(): (traits: WorkloadTraits) => WorkloadTraits {
  const byNode = new Map<string, WorkloadTraits[]>();
  return (traits) => {
    const kinds = byNode.get(traits.node);
    const known = kinds?.find((kind) => sameTraits(kind, traits));
    if (known !== undefined) return known;
    const kept = { ...traits };
    if (kinds === undefined) byNode.set(traits.node, [kept]);
    else if (kinds.push(kept) > mostKinds) kinds.shift();
    return kept;
  };
}

/** As `sameContents`, ten times as fast. */
function sameTraits(a: WorkloadTraits, b: WorkloadTraits): boolean {
  return a.namespace === b.namespace && a.network === b.network && a.node === b.node &&
    a.clusterId === b.clusterId && a.protocol === b.protocol && a.networkMode === b.networkMode &&
    sameContents(a.locality, b.locality) && sameContents(a.waypoint, b.waypoint) &&
    sameContents(a.networkGateway, b.networkGateway) &&
    sameContents(a.authorizationPolicies, b.authorizationPolicies);
}
