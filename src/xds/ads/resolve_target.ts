/** From the clusters that serve a frontend to what is assigned to it. */

import { type AssignedPort, type AssignedTiers, randomChoice } from "../../mesh/mod.ts";
import { hostNamesOf, isDns, withAddresses } from "./dns.ts";
import { reasonToLeave } from "./reason_to_leave.ts";
import { connectionLimitOf } from "./connection_limit.ts";
import type { Assignment, Cluster, Target } from "./model.ts";
import type { MissingName, Resources } from "./resources.ts";
import { type ClusterTiers, noTiers, tiersOfCluster, tiersOfTarget } from "./tiers.ts";

export interface Resolved {
  /** What is not there, waited for or not. */
  readonly missing: readonly MissingName[];
  /** `undefined` while something is waited for. The same object as before where nothing changed and it is one cluster. */
  readonly assigned: AssignedPort | "left alone" | undefined;
}

/** @returns a function that resolves targets from what the resources are at that moment */
export function createResolver(
  resources: Resources,
): (target: Target, gaveUp: (missing: MissingName) => boolean) => Resolved {
  const { clusters, assignments, names } = resources;
  const cache = new WeakMap<Assignment, CachedTiers>();
  const ports = new WeakMap<Cluster, AssignedPort>();

  /** What a cluster lacks, and its tiers by what it has. */
  const partOf = (cluster: Cluster): Part => {
    const { edsName, assignment } = cluster;
    if (edsName !== "") {
      const own = assignments.get(edsName)?.value;
      return own === undefined
        ? { missing: [`endpoints ${edsName}`], tiers: undefined }
        : { missing: [], tiers: tiersOf(cluster, own, []) };
    }
    if (assignment === undefined) return { missing: [], tiers: undefined };
    const hosts = names !== undefined && isDns(cluster) ? [...hostNamesOf(cluster)] : [];
    const addresses = hosts.map((host) => names!.addressesOf(host));
    const missing = hosts.filter((_, i) => addresses[i] === undefined);
    return {
      missing: missing.map((host): MissingName => `addresses of ${host}`),
      tiers: tiersOf(cluster, assignment, addresses),
    };
  };

  /** @param addresses of the names in the assignment, in their order */
  const tiersOf = (cluster: Cluster, assignment: Assignment, addresses: CachedTiers["addresses"]) => {
    const { localityWeighted } = cluster;
    const cached = cache.get(assignment);
    if (cached?.localityWeighted === localityWeighted && sameItems(cached.addresses, addresses)) {
      return cached;
    }
    const dialled = addresses.length > 0
      ? withAddresses(cluster, assignment, names!.addressesOf)
      : assignment;
    const tiers = tiersOfCluster(dialled, localityWeighted);
    const fresh = { localityWeighted, addresses, tiers, alone: tiersOfTarget([{ tiers, weight: 1 }]) };
    cache.set(assignment, fresh);
    return fresh;
  };

  /** Of a target that is this cluster alone. */
  const portOf = (cluster: Cluster, tiers: AssignedTiers): AssignedPort => {
    const cached = ports.get(cluster);
    if (cached?.tiers === tiers) return cached;
    const choice = cluster.choice ?? randomChoice;
    const fresh = { tiers, choice, connectionLimit: connectionLimitOf(cluster) };
    ports.set(cluster, fresh);
    return fresh;
  };

  return (target, gaveUp) => {
    const missing: MissingName[] = [];
    let leave = false;
    const parts = target.clusters.map(({ name, weight }) => {
      const cluster = clusters.get(name)?.value;
      if (cluster === undefined) {
        missing.push(`cluster ${name}`);
        return { weight, cluster, cached: undefined };
      }
      leave ||= reasonToLeave(cluster, resources) !== undefined;
      const part = partOf(cluster);
      for (const name of part.missing) missing.push(name);
      return { weight, cluster, cached: part.tiers };
    });
    if (!missing.every(gaveUp)) return { missing, assigned: undefined };
    if (leave) return { missing, assigned: "left alone" };
    if (parts.length === 1) {
      const [{ cluster, cached }] = parts;
      const assigned = cluster === undefined ? nobody : portOf(cluster, cached?.alone ?? noEndpoints);
      return { missing, assigned };
    }
    // Their tiers become one: no cluster's policy or limit can hold for all of it (unhonoured.ts says so).
    const tiers = tiersOfTarget(
      parts.map(({ weight, cached }) => ({ weight, tiers: cached?.tiers ?? noTiers })),
    );
    return { missing, assigned: { tiers, choice: randomChoice, connectionLimit: null } };
  };
}

interface Part {
  readonly missing: readonly MissingName[];
  readonly tiers: CachedTiers | undefined;
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

const noEndpoints: AssignedTiers = [];
/** Of a cluster that is not there. */
const nobody: AssignedPort = { tiers: noEndpoints, choice: randomChoice, connectionLimit: null };

interface CachedTiers {
  readonly localityWeighted: boolean;
  /** Of the names in it, the very arrays. */
  readonly addresses: readonly (readonly string[] | undefined)[];
  readonly tiers: ClusterTiers;
  /** For a target that is this cluster alone. */
  readonly alone: AssignedTiers;
}
