/** Tells the log who was refused, from the ring buffer, without anybody being woken for it. */

import { openRing, type Shim, workload } from "../../ffi/mod.ts";
import { eventsSize } from "../dataplane/mod.ts";
import { bytesToAddress, formatAddressPort } from "../mesh/mod.ts";
import type { Logger } from "../observe/log.ts";

/** Lines a reading; the rest is counted in one more. */
const maxLines = 10;

/** A limit of connections, as far as it is known. */
interface ReachedLimit {
  readonly cluster: string | undefined;
  readonly most: number | undefined;
}

/** A reader of refusals. */
export interface Refusals {
  /** Reads what came since the last call. */
  read(): void;
  close(): void;
}

/**
 * Reads what came since the last call, and logs one line for each destination and program.
 *
 * @param limitById the limit of connections that has an id, if there is one
 * @returns the function that reads, and one that closes the ring
 */
export function watchRefusals(
  shim: Shim,
  eventsFd: number,
  log: Logger,
  limitById: (id: number) => ReachedLimit | undefined,
): Refusals {
  const ring = openRing(shim, eventsFd, workload.refusalEvent, eventsSize);
  const text = new TextDecoder();
  const reasonOf = (id: number) => {
    if (id === 0) return "no endpoint may be used, or the port is not listed";
    const { cluster, most } = limitById(id) ?? {};
    // It may have gone since.
    return cluster === undefined || most === undefined
      ? "max_connections of its cluster reached"
      : `max_connections ${most} of cluster ${cluster} reached`;
  };
  return {
    read: () => {
      const { records, lost } = ring.read();
      const seen = new Map<string, { count: number; limit: number; fields: Record<string, unknown> }>();
      for (const event of records) {
        const destination = formatAddressPort(bytesToAddress(event.address), event.port);
        const end = event.command.indexOf(0);
        const command = text.decode(event.command.subarray(0, end < 0 ? undefined : end));
        const protocol = event.protocol === 6 ? "TCP" : "UDP";
        const key = `${destination} ${protocol} ${event.limit} ${command}`;
        const same = seen.get(key);
        if (same) same.count++;
        else {
          const fields = { destination, protocol, command, pid: event.pid };
          seen.set(key, { count: 1, limit: event.limit, fields });
        }
      }
      const all = [...seen.values()];
      for (const { count, limit, fields } of all.slice(0, maxLines)) {
        log.warn(`refused: ${reasonOf(limit)}`, { ...fields, count });
      }
      const more = all.slice(maxLines).reduce((sum, one) => sum + one.count, lost);
      if (more > 0) log.warn("more connections were refused", { count: more });
    },
    close: () => ring[Symbol.dispose](),
  };
}
