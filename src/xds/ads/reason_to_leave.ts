import { parseAddress } from "../../mesh/mod.ts";
import type { Cluster } from "./model.ts";

/** Why connections to a cluster are left alone: weft cannot tell where they go, or they go where they were going anyway. */
export function reasonToLeave({ type, assignment }: Cluster): string | undefined {
  switch (type) {
    case "EDS":
    case "STATIC":
      return undefined;
    case "ORIGINAL_DST":
      return "original destination";
    case "STRICT_DNS":
    case "LOGICAL_DNS": {
      const endpoints = assignment?.localities.flatMap((locality) => locality.endpoints) ?? [];
      return endpoints.every(({ host }) => parseAddress(host) !== undefined)
        ? undefined
        : "endpoints are names, which weft does not resolve";
    }
    default:
      return `cluster type ${type}`;
  }
}
