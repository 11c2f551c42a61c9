/** What a way to choose endpoints is called. */

import type { Choice } from "./model.ts";

/** The names that control planes have for them. */
export const lbPolicies = ["RANDOM", "ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "MAGLEV"] as const;
export type LbPolicy = typeof lbPolicies[number];

const names: Readonly<Record<Choice["kind"], LbPolicy>> = {
  random: "RANDOM",
  roundRobin: "ROUND_ROBIN",
  leastRequest: "LEAST_REQUEST",
  ringHash: "RING_HASH",
  maglev: "MAGLEV",
};

export function lbPolicyOf({ kind }: Choice): LbPolicy {
  return names[kind];
}
