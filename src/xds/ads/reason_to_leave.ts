import { hostNamesOf, isDns } from "./dns.ts";
import type { Cluster } from "./model.ts";
import type { Resources } from "./resources.ts";

/** Why connections to a cluster are left alone: weft cannot tell where they go, or they go where they were going anyway. */
export function reasonToLeave(cluster: Cluster, { names }: Pick<Resources, "names">): string | undefined {
  const { type } = cluster;
  if (type === "EDS" || type === "STATIC") return undefined;
  if (type === "ORIGINAL_DST") return "original destination";
  if (!isDns(cluster)) return `cluster type ${type}`;
  return names === undefined && hostNamesOf(cluster).size > 0 ? "endpoints are names" : undefined;
}
