/** How long publishing records takes: each put into an array of maps waits for an RCU grace period. */

import type { RecordPool } from "../records/mod.ts";

/** How many records are published together to see whether they wait together. */
export const manyRecords = 16;

/** In milliseconds. */
export interface PublishCost {
  /** One record by itself. */
  readonly one: number;
  /** `manyRecords` together. */
  readonly many: number;
}

/** @param pool over an outer map that has more than `manyRecords` slots to spare */
export async function measurePublish(pool: RecordPool): Promise<PublishCost> {
  return { one: await publish(pool, 1), many: await publish(pool, manyRecords) };
}

/** Publishes some records and takes their slots back; the next ones go over them. */
async function publish(pool: RecordPool, count: number): Promise<number> {
  const slots = Array.from({ length: count }, () => pool.slots.take());
  const started = performance.now();
  await pool.publish(slots.map((slot) => ({ slot, capacity: 1, entries: [{ threshold: 0, endpoint: 0 }] })));
  const elapsed = performance.now() - started;
  for (const slot of slots) pool.slots.giveBack(slot);
  return elapsed;
}
