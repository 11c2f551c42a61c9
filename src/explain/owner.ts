/** Who owns an address, as callers on this node see it. */

import {
  addressToBytes,
  bytesToAddress,
  familyOf,
  ownerOf,
  ownerOfRange,
  rangeKey,
  type Service,
  type Snapshot,
  vipKey,
  type Workload,
} from "../mesh/mod.ts";

/** The service that owns an address as one of its VIPs. */
export function ownerOfVip(snapshot: Snapshot, network: string, address: string): Service | undefined {
  const claimants = snapshot.claims.get(vipKey({ network, address })) ?? [];
  return ownerOf(claimants.map((key) => snapshot.services.get(key)).filter((one) => one !== undefined));
}

/** The service that owns the longest range with an address in it. */
export function ownerOfAddress(snapshot: Snapshot, network: string, address: string): Service | undefined {
  if (snapshot.rangeClaims.size === 0) return undefined;
  const family = familyOf(address);
  const bytes = addressToBytes(address);
  const shortest = family === 4 ? 96 : 0;
  for (let length = 128; length >= shortest; length--) {
    if (length < 128) bytes[length >> 3] &= 0xff << (8 - (length & 7));
    const range = { network, address: bytesToAddress(bytes), prefixLength: length - shortest };
    const claimants = snapshot.rangeClaims.get(rangeKey(range)) ?? [];
    const owner = ownerOfRange(
      claimants.map((key) => snapshot.services.get(key)).filter((one) => one !== undefined),
    );
    if (owner) return owner;
  }
  return undefined;
}

/**
 * The workload whose own address this is; those that share their node's address have none of their own. Of several that with
 * `//Pod/` in its uid, then one that speaks HBONE, then the last.
 *
 * @param workloads in the source's order
 */
export function workloadAt(
  workloads: Iterable<Workload>,
  network: string,
  address: string,
): Workload | undefined {
  const rank = ({ uid, traits }: Workload) =>
    (uid.includes("//Pod/") ? 2 : 0) + (traits.protocol === "HBONE" ? 1 : 0);
  let best: Workload | undefined;
  for (const workload of workloads) {
    if (workload.traits.network !== network || workload.traits.networkMode === "HostNetwork") continue;
    if (!workload.addresses.includes(address)) continue;
    if (best === undefined || rank(workload) >= rank(best)) best = workload;
  }
  return best;
}
