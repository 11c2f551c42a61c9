/** Clusters of types STRICT_DNS and LOGICAL_DNS: their endpoints are names. */

import { type Family, familyOf, parseAddress } from "../../mesh/mod.ts";
import type { Assignment, Cluster, LbEndpoint } from "./model.ts";
import type { Names } from "./names.ts";

const none: LbEndpoint["additional"] = [];

/** Whether the type says that names are to be looked up. */
export function isDns({ type }: Pick<Cluster, "type">): boolean {
  return type === "STRICT_DNS" || type === "LOGICAL_DNS";
}

/** The names among a cluster's endpoints, each once. */
export function hostNamesOf({ assignment }: Pick<Cluster, "assignment">): Set<string> {
  const hosts = assignment?.localities.flatMap(({ endpoints }) => endpoints.map(({ host }) => host)) ?? [];
  return new Set(hosts.filter((host) => parseAddress(host) === undefined));
}

/**
 * The assignment with addresses in place of names: all of a name's addresses with the endpoint's weight each, for LOGICAL_DNS the
 * first of each family. Families that the cluster does not want are left out. What is not known has no addresses.
 */
export function withAddresses(
  { type, lookupFamily }: Pick<Cluster, "type" | "lookupFamily">,
  assignment: Assignment,
  addressesOf: Names["addressesOf"],
): Assignment {
  const wanted = (family: Family) => lookupFamily === undefined || lookupFamily === family;
  const resolve = (endpoint: LbEndpoint): LbEndpoint[] => {
    if (parseAddress(endpoint.host) !== undefined) return [endpoint];
    const all = (addressesOf(endpoint.host) ?? []).filter((address) => wanted(familyOf(address)));
    const chosen = type === "STRICT_DNS"
      ? all
      : ([4, 6] as const).flatMap((family) => all.find((address) => familyOf(address) === family) ?? []);
    return chosen.map((host) => ({ ...endpoint, host, additional: none }));
  };
  const localities = assignment.localities.map((locality) => ({
    ...locality,
    endpoints: locality.endpoints.flatMap(resolve),
  }));
  return { ...assignment, localities };
}
