/** What `weft records` shows. */

import type { Datapath } from "../dataplane/mod.ts";
import type { RecordsResponse } from "../observe/api.ts";
import type { Watermarks } from "../records/mod.ts";

/** The record pool as it is: its classes, its slots, and what it has done. */
export function recordsView({ pool, maps, backgroundError }: Datapath, marks: Watermarks): RecordsResponse {
  return {
    slots: { used: pool.used, allocated: pool.allocated, size: maps?.sizes.records ?? 0 },
    bytes: pool.memory(),
    watermarks: { growAt: marks.growAt, shrinkAt: marks.shrinkAt },
    classes: pool.classes(),
    counts: pool.counts,
    error: backgroundError ?? null,
  };
}
