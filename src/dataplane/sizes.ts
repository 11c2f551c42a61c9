/** How large the maps must be. */

import type { RecordPool } from "../records/mod.ts";
import type { Applied } from "./applied.ts";
import type { MeshSizes } from "./maps.ts";
import type { Plan } from "./plan/mod.ts";
import type { Found } from "./read_back.ts";

/** The entries that each map must have room for while and after this plan is carried out. */
export function neededSizes(
  applied: Applied,
  pool: Pick<RecordPool, "end">,
  plan: Plan,
  found: Found | undefined,
): MeshSizes {
  let frontends = applied.frontendCount.value + (found?.frontends.size ?? 0);
  // New ones come before old ones go.
  for (const edit of plan.frontends) if (edit.before === undefined) frontends++;
  return {
    frontends,
    services: applied.servicePortIds.end,
    endpoints: applied.endpointIndexes.end,
    endpointConnections: plan.countsConnections ? applied.endpointIndexes.end : 1,
    records: pool.end,
  };
}

/**
 * The same sizes where all is large enough; else those that are not are doubled, `records` up to a ceiling.
 *
 * @param room what a larger `records` is to have, if more than is needed
 */
export function sizesFor(have: MeshSizes, need: MeshSizes, maxRecords: number, room = 0): MeshSizes {
  const grow = (name: keyof MeshSizes, room = 0) => {
    let size = have[name];
    if (size >= need[name]) return size;
    while (size < Math.max(need[name], room)) size *= 2;
    return size;
  };
  const endpoints = grow("endpoints");
  const counts = Math.max(have.endpointConnections, need.endpointConnections) > 1;
  const sizes = {
    frontends: grow("frontends"),
    services: grow("services"),
    endpoints,
    endpointConnections: counts ? endpoints : 1,
    records: Math.max(have.records, Math.min(grow("records", room), maxRecords)),
  };
  const enough = (Object.keys(sizes) as (keyof MeshSizes)[]).every((name) => sizes[name] === have[name]);
  return enough ? have : sizes;
}
