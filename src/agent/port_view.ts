/** What the agent tells of a service port besides its endpoints. */

import { activeUnder, type Datapath } from "../dataplane/mod.ts";
import { type AssignedPort, lbPolicyOf, randomChoice, type Service } from "../mesh/mod.ts";
import type { PortView } from "../observe/api.ts";

/** How a service port's endpoints are chosen, and how many connections count under its limit in the kernel now. */
export function portView(datapath: Datapath, { assigned }: Service, port: number): PortView {
  const { choice, connectionLimit }: Pick<AssignedPort, "choice" | "connectionLimit"> = assigned?.get(port) ??
    { choice: randomChoice, connectionLimit: null };
  return {
    port,
    lbPolicy: lbPolicyOf(choice),
    connectionLimit: connectionLimit && {
      ...connectionLimit,
      active: activeUnder(datapath.sockets, datapath.applied.limits, connectionLimit.cluster),
    },
  };
}
