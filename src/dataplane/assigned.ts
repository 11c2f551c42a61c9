/** A service port whose endpoints the source assigned itself. */

import { type AssignedPort, familyOf, formatAddressPort } from "../mesh/mod.ts";
import { asideKey, type DesiredServicePort, endpointKey, type Excluded } from "./desired.ts";
import type { PortContext } from "./part.ts";

/**
 * The tiers as they are assigned, for callers of one family: those without an endpoint of it are skipped. An endpoint's uid is its
 * address and port.
 */
export function compileAssigned(
  { key, port, family, aside }: PortContext,
  service: string,
  { tiers: assigned, choice, connectionLimit }: AssignedPort,
): { readonly servicePort: DesiredServicePort; readonly excluded: readonly Excluded[] } {
  const excluded: Excluded[] = [];
  let mapped = 0;
  const tiers = assigned.flatMap((tier, i) => {
    const endpoints = tier.filter(({ address }) => familyOf(address) === family).flatMap((one) => {
      const { address, port: target, weight } = one;
      const uid = formatAddressPort(address, target);
      const endpoint = { uid, address, port: target, weight };
      mapped++;
      if (!aside?.has(asideKey(key, endpointKey(endpoint)))) return [endpoint];
      excluded.push({ uid, port, family, reason: "set aside" });
      return [];
    });
    // A rank tells one tier from another; the nearest has the highest.
    return endpoints.length === 0 ? [] : [{ rank: assigned.length - i, endpoints, portless: 0 }];
  });
  return { servicePort: { key, service, port, family, mapped, tiers, choice, connectionLimit }, excluded };
}
