/** How many connections a cluster's endpoints may have together. */

import type { ConnectionLimit } from "../../mesh/mod.ts";
import type { Cluster } from "./model.ts";

/** What istiod writes for no limit. */
const noLimit = 0xffff_ffff;

/** `null`: as many as come. What weft knows no limit for has none, though Envoy takes 1024 where nothing is said. */
export function connectionLimitOf({ name, maxConnections }: Cluster): ConnectionLimit | null {
  if (maxConnections === undefined || maxConnections === noLimit) return null;
  return { cluster: name, max: maxConnections };
}
