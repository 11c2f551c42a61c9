/** How long publishing records takes: each put into an array of maps waits for an RCU grace period. */

import type { ArrayOfMaps } from "../../ffi/mod.ts";
import { publishRecords } from "../records/mod.ts";

/** How many records are published together to see whether they wait together. */
export const manyRecords = 16;

/** In milliseconds. */
export interface PublishCost {
  /** One record by itself. */
  readonly one: number;
  /** `manyRecords` together. */
  readonly many: number;
}

/**
 * @param outer has more than `manyRecords` slots; what is in them goes
 * @param threads how publishing waits (ArrayOfMaps.publish)
 */
export async function measurePublish(outer: ArrayOfMaps, threads: number): Promise<PublishCost> {
  return { one: await publish(outer, 1, threads), many: await publish(outer, manyRecords, threads) };
}

async function publish(outer: ArrayOfMaps, count: number, threads: number): Promise<number> {
  const records = Array.from({ length: count }, (_, i) => {
    return { slot: i + 1, capacity: 1, entries: [{ threshold: 0, endpoint: 0 }] };
  });
  const started = performance.now();
  await publishRecords(outer, records, threads);
  return performance.now() - started;
}
