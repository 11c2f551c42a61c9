/** How many endpoints of a service port may be set aside, so that connections still find one. */

import type { DesiredEndpoint, DesiredTier } from "../dataplane/desired.ts";

/**
 * The last tier that connections can come to when all before it are set aside: of it only a share may be.
 *
 * A tier with somebody who can never be chosen (capacity 0, no port) is not empty without its others: it refuses, and no further
 * tier takes over. So it is the last one; or the one before it is, where it has nobody else.
 *
 * @param tiers with all endpoints, set aside or not, nearest first
 * @returns its number, -1 where there is nobody to choose
 */
export function lastTier(tiers: readonly DesiredTier[]): number {
  for (const [number, tier] of tiers.entries()) {
    const choosable = choosableOf(tier).length;
    if (choosable === 0) return number - 1;
    if (choosable < tier.endpoints.length || tier.portless > 0) return number;
  }
  return tiers.length - 1;
}

/** The endpoints that connections are given. */
export function choosableOf({ endpoints }: DesiredTier): readonly DesiredEndpoint[] {
  return endpoints.filter(({ weight }) => weight > 0);
}

/**
 * How many of the last tier may be set aside: the share rounded down, but one at least (Envoy's `always_eject_one_host`), and never all.
 *
 * @param endpoints those that may be chosen
 * @param percent 0: none at all
 */
export function mostAside(endpoints: number, percent: number): number {
  if (percent === 0) return 0;
  const share = Math.max(1, Math.floor(endpoints * percent / 100));
  return Math.max(0, Math.min(share, endpoints - 1));
}
