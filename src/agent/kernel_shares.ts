import { workload, type workload as layouts } from "../../ffi/mod.ts";

type Entries = readonly layouts.RecordEntry[];

/** How many points there are on a ring. */
const circle = 2 ** 32;

/**
 * The share of a tier's connections that each endpoint index gets, computed from the record as the kernel holds it. Where the client
 * decides, of so many clients that they are spread evenly; where the least busy one is chosen, of endpoints that are equally busy.
 *
 * @param port the service port's words
 * @param entries the record's entries
 * @returns index → 0..1; the shares add up to 1
 */
export function kernelShares(
  { flags, tier }: Pick<layouts.ServicePort, "flags" | "tier">,
  entries: Entries,
): ReadonlyMap<number, number> {
  const shares = new Map<number, number>();
  const add = (index: number, share: number) => shares.set(index, (shares.get(index) ?? 0) + share);
  const { TIER_WEIGHTED, TIER_MAPPED } = workload.tierFlag;
  const weighted = (tier.count & TIER_WEIGHTED) !== 0;
  const rows = (tier.count & ~(TIER_WEIGHTED | TIER_MAPPED)) >>> 0;
  const onRing = flags & workload.serviceFlag.SERVICE_RING_HASH && !weighted && rows > 1;
  for (let row = 0; row < rows; row++) {
    if (!weighted) {
      add(entries[row].endpoint, onRing ? arcBefore(entries, row, rows) : 1 / rows);
      continue;
    }
    const own = entries[2 * row].threshold / 2 ** 32;
    add(entries[2 * row].endpoint, own / rows);
    add(entries[2 * row + 1].endpoint, (1 - own) / rows);
  }
  return shares;
}

/** How much of the ring leads to a point: what lies after the one before it. */
function arcBefore(entries: Entries, row: number, rows: number): number {
  const before = row === 0 ? entries[rows - 1].threshold - circle : entries[row - 1].threshold;
  return (entries[row].threshold - before) / circle;
}
