/**
 * Which service an address belongs to when several claim it.
 *
 * The rule is that of the ecosystem's reference node proxy, seen by a caller of none of the namespaces involved.
 */

import type { Service } from "./model.ts";

/**
 * The owner of a VIP.
 *
 * Within one namespace only the last claimant counts, canonical or not, visible or not; it stands where the
 * namespace's first one stood. Of those that are left and Public, the canonical one owns the VIP (of several, the
 * last), else the first.
 *
 * @param claimants the services that list the VIP, in the source's order.
 * @returns `undefined` where nobody owns it: the address is then no frontend at all.
 */
export function ownerOf(claimants: readonly Service[]): Service | undefined {
  if (claimants.length === 1) return claimants[0].visibility === "Public" ? claimants[0] : undefined;
  // A Map keeps a key where it was first set, which is the place that a namespace's last claimant takes over.
  const lastOfNamespace = new Map<string, Service>();
  for (const service of claimants) lastOfNamespace.set(service.namespace, service);
  const candidates = [...lastOfNamespace.values()].filter((service) => service.visibility === "Public");
  return candidates.findLast((service) => service.canonical) ?? candidates[0];
}

/**
 * The owner of a range that several services list: of those that are Public a canonical one, else the first. A longer range within it
 * has an owner of its own.
 *
 * @param claimants the services that list the range, in the source's order
 */
export function ownerOfRange(claimants: readonly Service[]): Service | undefined {
  const visible = claimants.filter((service) => service.visibility === "Public");
  return visible.find((service) => service.canonical) ?? visible[0];
}
