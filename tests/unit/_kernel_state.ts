/** What a kernel serves, read back and normalised: two kernels that serve the same compare equal. */

import { type Datapath, readBack } from "../../src/dataplane/mod.ts";
import { leaveId, unlistedId } from "../../src/dataplane/maps.ts";

/** What a frontend leads to: the entries of its record as a multiset, ids and slots replaced by what they refer to. */
export interface ServedFrontend {
  readonly kind: "leave" | "unlisted" | "servicePort";
  /** Every frontend that leads to the same service port. */
  readonly together: readonly string[];
  readonly mapped: boolean;
  /** `address:port`, or of an alias table its rows: `threshold address:port else address:port`. */
  readonly entries: readonly string[];
}

/** By `frontendText`, in order. Spare slots, and endpoints that nothing refers to, are left out. */
export function servedBy({ maps }: Datapath): Readonly<Record<string, ServedFrontend>> {
  const { frontends, servicePorts, endpoints, problems } = readBack(maps!);
  if (problems.length > 0) throw new Error(problems.join("; "));
  const endpointAt = (index: number) => {
    const { address, port, usable } = endpoints.get(index)!;
    return `${address}:${port}${usable ? "" : " (retired)"}`;
  };
  const served = new Map<string, ServedFrontend>();
  for (const [text, { id }] of frontends) {
    const kind = id === leaveId ? "leave" : id === unlistedId ? "unlisted" : "servicePort";
    const port = servicePorts.get(id);
    const { entries: rows = [], layout = "list" } = port?.tier ?? {};
    const entries = layout === "alias"
      ? rows.flatMap(({ threshold, endpoint }, i) =>
        i % 2 === 1 ? [] : [`${threshold} ${endpointAt(endpoint)} else ${endpointAt(rows[i + 1].endpoint)}`]
      )
      : rows.map(({ endpoint }) => endpointAt(endpoint));
    served.set(text, {
      kind,
      together: port?.frontends.toSorted() ?? [],
      mapped: port?.mapped ?? false,
      entries: entries.sort(),
    });
  }
  return Object.fromEntries([...served].sort(([a], [b]) => a < b ? -1 : 1));
}
