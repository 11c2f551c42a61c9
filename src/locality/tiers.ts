/** From ranks to tiers, nearest first. */

import type { LoadBalancer } from "../mesh/mod.ts";
import { type Place, rankOf } from "./rank.ts";

/** Everything of one rank. */
export interface Tier<T> {
  readonly rank: number;
  readonly members: readonly T[];
}

/**
 * The rank that decides an endpoint's tier: higher is nearer.
 *
 * Without a load balancer, and in mode Standard, all have the same.
 *
 * @returns `undefined`: mode Strict keeps it out, as it does not agree with the node in every preference
 */
export function tierRank(
  node: Place,
  loadBalancer: LoadBalancer | null,
  endpoint: Place,
): number | undefined {
  const mode = loadBalancer?.mode;
  if (mode !== "Strict" && mode !== "Failover") return 0;
  const { rank, full } = rankOf(node, loadBalancer!.routingPreferences, endpoint);
  return mode === "Strict" && !full ? undefined : rank;
}

/**
 * Sorts what has a rank into tiers: dense, one for each rank that occurs, nearest first. The order within a tier is kept.
 */
export function tiersOf<T extends { readonly rank: number }>(ranked: Iterable<T>): readonly Tier<T>[] {
  const byRank = Map.groupBy(ranked, ({ rank }) => rank);
  const ranks = [...byRank.keys()].sort((a, b) => b - a);
  return ranks.map((rank) => ({ rank, members: byRank.get(rank)! }));
}
