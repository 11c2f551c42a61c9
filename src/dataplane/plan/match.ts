/** Which of the records that a service port has become which tier's. */

import { type AppliedEndpoint, nearestTier } from "../applied.ts";
import type { Previous, PreviousTier } from "./endpoints.ts";

/** The tiers of a service port as it was; of one that was found in the kernel the only one that is known. */
export function tiersOf(port: Previous): PreviousTier[] {
  if ("tiers" in port) return [...port.tiers.values()];
  return port.tier ? [port.tier] : [];
}

/** The tier that connections came to. */
export function servingTier(port: Previous): PreviousTier | null {
  return ("tiers" in port ? nearestTier(port) : port.tier) ?? null;
}

/**
 * Gives each tier a record that many of its endpoints are in, with room for them and of about their number if there is one: when the
 * node's place changes, tiers are nearer or farther than before, but most are made up of the same endpoints. Those that have nothing in
 * common with any take what is left. A record that can be kept saves a place in map `records`, which otherwise might have to grow.
 *
 * @param placed the endpoints of each tier
 * @returns a record for each tier, in the same order; `null` where none is left
 */
export function matchTiers(
  records: readonly PreviousTier[],
  placed: readonly (readonly AppliedEndpoint[])[],
): (PreviousTier | null)[] {
  if (records.length <= 1 && placed.length <= 1) return placed.map(() => records[0] ?? null);
  const matched: (PreviousTier | null)[] = placed.map(() => null);
  const recordOf = new Map<number, PreviousTier>();
  for (const record of records) for (const { index } of record.rows) recordOf.set(index, record);
  const pairs = placed.flatMap((rows, tier) => {
    const common = new Map<PreviousTier, number>();
    for (const { index } of rows) {
      const record = recordOf.get(index);
      if (record) common.set(record, (common.get(record) ?? 0) + 1);
    }
    return [...common].map(([record, count]) => ({
      tier,
      record,
      fits: rows.length <= record.capacity,
      alike: count - Math.abs(rows.length - record.rows.length),
    }));
  });
  const taken = new Set<PreviousTier>();
  for (const { tier, record } of pairs.sort((a, b) => Number(b.fits) - Number(a.fits) || b.alike - a.alike)) {
    if (matched[tier] !== null || taken.has(record)) continue;
    matched[tier] = record;
    taken.add(record);
  }
  const rest = records.filter((record) => !taken.has(record));
  return matched.map((record) => record ?? rest.shift() ?? null);
}
