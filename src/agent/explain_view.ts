/** What `weft explain` shows of a running agent: where the kernel sends a connection now. */

import type { Controller } from "../dataplane/mod.ts";
import { type Destination, explain, type Explanation } from "../explain/mod.ts";
import { placeOn } from "../locality/mod.ts";

/** Explains from what the kernel holds, not from what may be newer.  */
export function explainView({ state }: Controller, to: Destination, protocol: "TCP" | "UDP"): Explanation {
  const { applied, place = placeOn(""), aside } = state;
  return explain(to, {
    snapshot: applied,
    place,
    aside,
    protocol,
    workloads: [...applied.workloads.values()].sort((a, b) => a.uid < b.uid ? -1 : 1),
  });
}
