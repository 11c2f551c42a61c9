/** What `weft explain` shows of a running agent: where the kernel sends a connection now. */

import { activeUnder, type Controller, type Datapath } from "../dataplane/mod.ts";
import { type Destination, explain, type Explanation } from "../explain/mod.ts";
import { placeOn } from "../locality/mod.ts";
import type { Snapshot, Workload } from "../mesh/mod.ts";

/** Explains from what the kernel holds, not from what may be newer.  */
export function explainView(
  { maps, sockets, applied: { services, limits } }: Datapath,
  { state }: Controller,
  to: Destination,
  protocol: "TCP" | "UDP",
): Explanation {
  const { applied, place = placeOn(""), aside } = state;
  return explain(to, {
    snapshot: applied,
    place,
    aside,
    protocol,
    counts: {
      active: (cluster) => activeUnder(sockets, limits, cluster),
      refused: ({ service, key }) => {
        const id = services.get(service)?.servicePorts.get(key)?.id;
        return id === undefined ? 0 : Number(maps?.refusals.lookup(id) ?? 0n);
      },
    },
    workloads: workloadsWith(applied, to.address),
  });
}

/** Those that have an address, by uid. Looked for when it is asked for: most destinations belong to a service. */
function* workloadsWith({ workloads }: Snapshot, address: string): Iterable<Workload> {
  const found: Workload[] = [];
  workloads.forEach((workload) => {
    if (workload.addresses.includes(address)) found.push(workload);
  });
  yield* found.sort((a, b) => a.uid < b.uid ? -1 : 1);
}
