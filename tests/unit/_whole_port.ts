/** Service ports for tests of src/outlier_detection. */

import { endpointKey } from "../../src/dataplane/mod.ts";
import type { WholePort } from "../../src/outlier_detection/mod.ts";

const place = { address: "10.0.0.1", port: 8080 };

/** The key of the endpoint with this name. */
export function keyOf(uid: string): string {
  return endpointKey({ uid, ...place });
}

/** Endpoints of a tier by name, each with its weight; `portless`: how many have no port. */
export interface TestTier {
  readonly weights: Readonly<Record<string, number>>;
  readonly portless?: number;
}

/** A port whose tiers are these, nearest first. A name alone has weight 1. */
export function wholePort(tiers: readonly (TestTier | readonly string[])[], service = "shop/web"): WholePort {
  return {
    key: `${service}|80|4`,
    service,
    port: 80,
    family: 4,
    tiers: tiers.map((tier, i) => {
      const { weights, portless = 0 } = "weights" in tier
        ? tier
        : { weights: Object.fromEntries(tier.map((name) => [name, 1])) };
      return {
        rank: -i,
        portless,
        endpoints: Object.entries(weights).map(([uid, weight]) => ({ uid, ...place, weight })),
      };
    }),
  };
}

/** `a0`, `a1`, … */
export function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}
