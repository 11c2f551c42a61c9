/** From endpoints to tiers, nearest first. */

import type { LoadBalancer } from "../mesh/mod.ts";
import { type Place, rankOf } from "./rank.ts";

/** Endpoints by how near they are. */
export interface Tiers<T> {
  /** Nearest first. Dense: one for each rank that occurs. */
  readonly tiers: readonly (readonly T[])[];
  /** What mode Strict keeps out: some preference does not agree. */
  readonly notLocal: readonly T[];
}

/**
 * Sorts endpoints into tiers. Their order within a tier is kept.
 *
 * Without a load balancer, and in mode Standard, all are one tier. Mode Strict keeps those out that do not agree with the node in every
 * preference; Failover keeps all.
 *
 * @param placeOf where an endpoint is
 */
export function tiersOf<T>(
  node: Place,
  loadBalancer: LoadBalancer | null,
  endpoints: readonly T[],
  placeOf: (endpoint: T) => Place,
): Tiers<T> {
  const mode = loadBalancer?.mode;
  if (mode !== "Strict" && mode !== "Failover") {
    return { tiers: endpoints.length === 0 ? [] : [endpoints], notLocal: [] };
  }
  const byRank = new Map<number, T[]>();
  const notLocal: T[] = [];
  for (const endpoint of endpoints) {
    const { rank, full } = rankOf(node, loadBalancer!.routingPreferences, placeOf(endpoint));
    if (mode === "Strict" && !full) {
      notLocal.push(endpoint);
      continue;
    }
    const tier = byRank.get(rank);
    if (tier) tier.push(endpoint);
    else byRank.set(rank, [endpoint]);
  }
  const ranks = [...byRank.keys()].sort((a, b) => b - a);
  return { tiers: ranks.map((rank) => byRank.get(rank)!), notLocal };
}
