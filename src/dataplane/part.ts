/** The part that one candidate has in one service port. */

import type { Family, Service, ServiceKey } from "../mesh/mod.ts";
import { type Place, tierRank } from "../locality/mod.ts";
import type { Candidate, Reach } from "./candidate.ts";
import {
  type AsideEndpoints,
  asideKey,
  type DesiredEndpoint,
  endpointKey,
  type ExclusionReason,
  type RankedEndpoint,
} from "./desired.ts";

/** A service port, and what decides about its candidates. */
export interface PortContext {
  /** As `DesiredServicePort.key`. */
  readonly key: string;
  readonly service: Service;
  readonly node: Place;
  readonly port: number;
  /** The service's own target port, for candidates without a mapping. */
  readonly target: number;
  readonly family: Family;
  readonly aside: AsideEndpoints | undefined;
}

export interface Part {
  /** It maps the port, usable or not. */
  readonly mapped: boolean;
  /** Its place in a tier, if it has one. */
  readonly ranked: RankedEndpoint | null;
  /** Why it is no endpoint. */
  readonly excluded: ExclusionReason | null;
}

/** A service port's key (`DesiredServicePort.key`). */
export function servicePortKey(service: ServiceKey, port: number, family: Family): string {
  return `${service}|${port}|${family}`;
}

/** Whether it matters to a service where the node and its endpoints are. */
export function isRanked({ loadBalancer }: Service): boolean {
  return loadBalancer?.mode === "Strict" || loadBalancer?.mode === "Failover";
}

/** A pure function of the candidate and the port: nothing depends on who else there is. */
export function partOf(context: PortContext, { workload, ports }: Candidate, reach: Reach): Part {
  const { service, node, port, target } = context;
  const own = ports.get(port);
  // An own mapping counts even if it is 0.
  const targetPort = own ?? target;
  const mapped = targetPort !== 0;
  const out = (excluded: ExclusionReason): Part => ({ mapped, ranked: null, excluded });
  if ("reason" in reach) return out(reach.reason);
  const rank = tierRank(node, service.loadBalancer, workload.traits);
  if (targetPort === 0) {
    // One that maps the port to 0 itself has its rank all the same, and keeps farther tiers back (worked answers, case 001).
    const keepsBack = own === 0 && isRanked(service) && rank !== undefined;
    return { mapped, ranked: keepsBack ? { rank, endpoint: null } : null, excluded: "target port 0" };
  }
  if (rank === undefined) return out("not local");
  const { uid, capacity: weight } = workload;
  const { address } = reach;
  const endpoint: DesiredEndpoint = { uid, address, port: targetPort, weight };
  if (context.aside?.has(asideKey(context.key, endpointKey(endpoint)))) return out("set aside");
  return { mapped, ranked: { rank, endpoint }, excluded: null };
}
