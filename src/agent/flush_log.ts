/** What the log says of flushes. */

import type { Datapath, FlushReport } from "../dataplane/mod.ts";
import type { NodeFinder } from "../locality/mod.ts";
import type { Logger } from "../observe/log.ts";
import { fullMaps } from "./agent_status.ts";
import type { AgentOptions } from "./options.ts";

/** Makes what is called after each flush. */
export function logFlushes(
  log: Logger,
  datapath: Datapath,
  node: NodeFinder,
  options: Pick<AgentOptions, "maxRecords" | "socketSizes">,
): (report: FlushReport, first: boolean) => void {
  let saidFull: ReadonlyMap<string, string> = new Map();
  let saidOfNode: string | undefined;
  return ({ backgroundError, repaired, grownTo, ...done }, first) => {
    if (grownTo) log.warn("the mesh outgrew the maps: moved to a larger generation", { ...grownTo });
    const full = fullMaps(datapath, options);
    for (const [map, warning] of full) if (!saidFull.has(map)) log.warn(warning);
    saidFull = full;
    if (node.warning !== saidOfNode && node.warning) log.warn(node.warning);
    saidOfNode = node.warning;
    for (const problem of repaired) log.warn(`somebody changed the maps, put right: ${problem}`);
    if (backgroundError) {
      log.warn("something off the flush path failed, and is tried again", { reason: backgroundError });
    }
    if (!first && done.services === 0) return;
    log.info(first ? "first configuration is in the kernel" : "flushed", { ...done });
  };
}
