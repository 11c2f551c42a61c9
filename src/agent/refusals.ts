/** Tells the log who was refused, from the ring buffer, without anybody being woken for it. */

import { openRing, type Shim, workload } from "../../ffi/mod.ts";
import { eventsSize } from "../dataplane/mod.ts";
import { bytesToAddress, formatAddressPort } from "../mesh/mod.ts";
import type { Logger } from "../observe/log.ts";

/** Lines a reading; the rest is counted in one more. */
const maxLines = 10;

/** A reader of refusals. */
export interface Refusals {
  /** Reads what came since the last call. */
  read(): void;
  close(): void;
}

/**
 * Reads what came since the last call, and logs one line for each destination and program.
 *
 * @returns the function that reads, and one that closes the ring
 */
export function watchRefusals(shim: Shim, eventsFd: number, log: Logger): Refusals {
  const ring = openRing(shim, eventsFd, workload.refusalEvent, eventsSize);
  const text = new TextDecoder();
  return {
    read: () => {
      const { records, lost } = ring.read();
      const seen = new Map<string, { count: number; fields: Record<string, unknown> }>();
      for (const event of records) {
        const destination = formatAddressPort(bytesToAddress(event.address), event.port);
        const end = event.command.indexOf(0);
        const command = text.decode(event.command.subarray(0, end < 0 ? undefined : end));
        const protocol = event.protocol === 6 ? "TCP" : "UDP";
        const key = `${destination} ${protocol} ${command}`;
        const same = seen.get(key);
        if (same) same.count++;
        else seen.set(key, { count: 1, fields: { destination, protocol, command, pid: event.pid } });
      }
      const all = [...seen.values()];
      for (const { count, fields } of all.slice(0, maxLines)) {
        log.warn("refused: no endpoint may be used, or the port is not listed", { ...fields, count });
      }
      const more = all.slice(maxLines).reduce((sum, one) => sum + one.count, lost);
      if (more > 0) log.warn("more connections were refused", { count: more });
    },
    close: () => ring[Symbol.dispose](),
  };
}
