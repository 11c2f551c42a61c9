/** Who owns an address, as callers on this node see it. */

import {
  addressToBytes,
  familyOf,
  type NetworkRange,
  ownerOf,
  type Service,
  serviceKey,
  type Snapshot,
  vipKey,
  type Workload,
} from "../mesh/mod.ts";

/** The service that owns an address as one of its VIPs. */
export function ownerOfVip(snapshot: Snapshot, network: string, address: string): Service | undefined {
  const claimants = snapshot.claims.get(vipKey({ network, address })) ?? [];
  return ownerOf(claimants.map((key) => snapshot.services.get(key)).filter((one) => one !== undefined));
}

/**
 * The service that owns the longest range with an address in it; of several a canonical one, else the first.
 *
 * @param services in the source's order
 */
export function ownerOfRange(
  services: Iterable<Service>,
  network: string,
  address: string,
): Service | undefined {
  let best: { service: Service; prefixLength: number } | undefined;
  for (const service of services) {
    if (service.visibility !== "Public") continue;
    for (const range of service.ranges) {
      if (range.network !== network || !contains(range, address)) continue;
      const { prefixLength } = range;
      const better = best === undefined || prefixLength > best.prefixLength ||
        (prefixLength === best.prefixLength && service.canonical && !best.service.canonical);
      if (better) best = { service, prefixLength };
    }
  }
  return best?.service;
}

function contains(range: NetworkRange, address: string): boolean {
  if (familyOf(range.address) !== familyOf(address)) return false;
  const bits = range.prefixLength + (familyOf(address) === 4 ? 96 : 0);
  const [a, b] = [addressToBytes(range.address), addressToBytes(address)];
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = bits & 7;
  return rest === 0 || (a[whole] ^ b[whole]) >> (8 - rest) === 0;
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
  const rank = ({ uid, protocol }: Workload) =>
    (uid.includes("//Pod/") ? 2 : 0) + (protocol === "HBONE" ? 1 : 0);
  let best: Workload | undefined;
  for (const workload of workloads) {
    if (workload.network !== network || workload.networkMode === "HostNetwork") continue;
    if (!workload.addresses.includes(address)) continue;
    if (best === undefined || rank(workload) >= rank(best)) best = workload;
  }
  return best;
}

/** The key of a service, or `null` where there is none. */
export function keyOf(service: Service | undefined): string | null {
  return service ? serviceKey(service) : null;
}
