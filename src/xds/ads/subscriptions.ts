/** What follows from resources: clusters name endpoints, listeners name routes. */

import type { Cluster, Listener } from "./model.ts";

/** The names of the assignments that these clusters ask for. */
export function edsNamesOf(clusters: Iterable<Cluster>): Set<string> {
  const names = new Set<string>();
  for (const { edsName } of clusters) if (edsName !== "") names.add(edsName);
  return names;
}

/** The names of the route configurations that a listener asks for, each once. */
export function routeNamesOf({ chains, defaultChain }: Listener): string[] {
  const all = defaultChain === undefined ? chains : [...chains, defaultChain];
  return [...new Set(all.flatMap(({ action }) => action.kind === "rds" ? [action.route] : []))];
}
