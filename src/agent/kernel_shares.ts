import { workload, type workload as layouts } from "../../ffi/mod.ts";

/**
 * The share of a tier's connections that each endpoint index gets, computed from the record as the kernel holds it.
 *
 * @param tier the tier's word
 * @param entries the record's entries
 * @returns index → 0..1; the shares add up to 1
 */
export function kernelShares(
  tier: layouts.Tier,
  entries: readonly layouts.RecordEntry[],
): ReadonlyMap<number, number> {
  const shares = new Map<number, number>();
  const add = (index: number, share: number) => shares.set(index, (shares.get(index) ?? 0) + share);
  const { TIER_WEIGHTED, TIER_MAPPED } = workload.tierFlag;
  const weighted = (tier.count & TIER_WEIGHTED) !== 0;
  const rows = (tier.count & ~(TIER_WEIGHTED | TIER_MAPPED)) >>> 0;
  for (let row = 0; row < rows; row++) {
    if (!weighted) {
      add(entries[row].endpoint, 1 / rows);
      continue;
    }
    const own = entries[2 * row].threshold / 2 ** 32;
    add(entries[2 * row].endpoint, own / rows);
    add(entries[2 * row + 1].endpoint, (1 - own) / rows);
  }
  return shares;
}
