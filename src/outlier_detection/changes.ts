/** What is to be told when the state has changed. */

import { asideKey } from "../dataplane/desired.ts";
import type { Outlier, OutlierState, PortOutliers } from "./outlier.ts";

/** An endpoint that was set aside or let back in. */
export interface OutlierChange {
  readonly what: "set aside" | "let in";
  readonly port: Omit<PortOutliers, "endpoints">;
  /** `asideKey` of it. */
  readonly key: string;
  readonly outlier: Outlier;
}

/** From one state to a later one. Endpoints that are gone from the mesh are not told of. */
export function changesBetween(before: OutlierState, after: OutlierState): OutlierChange[] {
  if (before === after) return [];
  const changes: OutlierChange[] = [];
  for (const [portKey, port] of after) {
    const had = before.get(portKey)?.endpoints;
    if (had === port.endpoints) continue;
    for (const [endpoint, outlier] of port.endpoints) {
      const wasAside = had?.get(endpoint)?.aside != null, isAside = outlier.aside !== null;
      if (wasAside === isAside) continue;
      changes.push({
        what: isAside ? "set aside" : "let in",
        port,
        key: asideKey(portKey, endpoint),
        outlier,
      });
    }
  }
  return changes;
}
