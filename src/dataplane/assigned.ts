/** A service port whose endpoints the source assigned itself. */

import { mapInSteps, type Steps } from "../host/mod.ts";
import { type AssignedEndpoint, type AssignedPort, familyOf, formatAddressPort } from "../mesh/mod.ts";
import {
  asideKey,
  type DesiredEndpoint,
  type DesiredServicePort,
  type DesiredTier,
  endpointKey,
  type Excluded,
} from "./desired.ts";
import type { PortContext } from "./part.ts";

/**
 * The tiers as they are assigned, for callers of one family: those without an endpoint of it are skipped. An endpoint's uid is its
 * address and port.
 */
export function* compileAssigned(
  { key, port, family, aside }: PortContext,
  service: string,
  { tiers: assigned, choice, connectionLimit }: AssignedPort,
): Steps<{ readonly servicePort: DesiredServicePort; readonly excluded: readonly Excluded[] }> {
  const excluded: Excluded[] = [];
  const tiers: DesiredTier[] = [];
  let mapped = 0;
  const endpointOf = ({ address, port: target, weight }: AssignedEndpoint): DesiredEndpoint | undefined => {
    if (familyOf(address) !== family) return undefined;
    const uid = formatAddressPort(address, target);
    const endpoint = { uid, address, port: target, weight };
    mapped++;
    if (!aside?.has(asideKey(key, endpointKey(endpoint)))) return endpoint;
    excluded.push({ uid, port, family, reason: "set aside" });
    return undefined;
  };
  for (const [i, tier] of assigned.entries()) {
    const endpoints = (yield* mapInSteps(tier, endpointOf)).filter((one) => one !== undefined);
    // A rank tells one tier from another; the nearest has the highest.
    if (endpoints.length > 0) tiers.push({ rank: assigned.length - i, endpoints, portless: 0 });
  }
  return { servicePort: { key, service, port, family, mapped, tiers, choice, connectionLimit }, excluded };
}
