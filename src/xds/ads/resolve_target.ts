/** From the clusters that serve a frontend to its tiers. */

import type { AssignedTiers } from "../../mesh/mod.ts";
import { reasonToLeave } from "./reason_to_leave.ts";
import type { Assignment, Cluster, Target } from "./model.ts";
import type { MissingName, Resources } from "./resources.ts";
import { type ClusterTiers, noTiers, tiersOfCluster, tiersOfTarget } from "./tiers.ts";

export interface Resolved {
  /** What is not there, waited for or not. */
  readonly missing: readonly MissingName[];
  /** `undefined` while something is waited for. The same object as before where nothing changed and it is one cluster. */
  readonly tiers: AssignedTiers | "left alone" | undefined;
}

/** @returns a function that resolves targets from what the resources are at that moment */
export function createResolver(
  { clusters, assignments }: Resources,
): (target: Target, gaveUp: (missing: MissingName) => boolean) => Resolved {
  const cache = new WeakMap<Assignment, CachedTiers>();
  const tiersOf = ({ localityWeighted }: Cluster, assignment: Assignment): CachedTiers => {
    const cached = cache.get(assignment);
    if (cached?.localityWeighted === localityWeighted) return cached;
    const tiers = tiersOfCluster(assignment, localityWeighted);
    const fresh = { localityWeighted, tiers, alone: tiersOfTarget([{ tiers, weight: 1 }]) };
    cache.set(assignment, fresh);
    return fresh;
  };
  return (target, gaveUp) => {
    const missing: MissingName[] = [];
    let leave = false;
    const parts = target.clusters.map(({ name, weight }) => {
      const cluster = clusters.get(name)?.value;
      if (cluster === undefined) {
        missing.push(`cluster ${name}`);
        return { weight, cached: undefined };
      }
      leave ||= reasonToLeave(cluster) !== undefined;
      const assignment = cluster.edsName === ""
        ? cluster.assignment
        : assignments.get(cluster.edsName)?.value;
      if (cluster.edsName !== "" && assignment === undefined) missing.push(`endpoints ${cluster.edsName}`);
      return { weight, cached: assignment && tiersOf(cluster, assignment) };
    });
    if (!missing.every(gaveUp)) return { missing, tiers: undefined };
    if (leave) return { missing, tiers: "left alone" };
    if (parts.length === 1) return { missing, tiers: parts[0].cached?.alone ?? noEndpoints };
    const tiers = tiersOfTarget(
      parts.map(({ weight, cached }) => ({ weight, tiers: cached?.tiers ?? noTiers })),
    );
    return { missing, tiers };
  };
}

const noEndpoints: AssignedTiers = [];

interface CachedTiers {
  readonly localityWeighted: boolean;
  readonly tiers: ClusterTiers;
  /** For a target that is this cluster alone. */
  readonly alone: AssignedTiers;
}
