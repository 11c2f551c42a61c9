/**
 * The outer map: an array of inner maps.
 *
 * A slot that holds no record holds nothing, or the placeholder, one shared inner map: giving thousands of slots back is then
 * one batched publish, like filling them, where deleting would wait for a grace period each (FACTS: 8.5 ms). Slot 0 is the
 * placeholder's for good: that is how a new agent recognises it.
 */

import { inSlices, noPause, type Pause, type Steps } from "../host/mod.ts";
import {
  type ArrayOfMaps,
  check,
  closeFd,
  createMapAside,
  mapInfo,
  openMapById,
  type Shim,
} from "../../ffi/mod.ts";
import {
  createInnerMap,
  fillInnerMap,
  innerMapShape,
  readCapacity,
  readRecordById,
  type RecordEntries,
  withInnerMap,
} from "./inner_map.ts";

const mapTypeArrayOfMaps = 12;

/** The placeholder's slot. */
export const placeholderSlot = 0;

/** The lowest slot that may hold a record. */
export const firstSlot = 1;

/** Inner maps in one batch. An open-files limit of 1,024 is enough. */
export const batchSize = 500;

/** Creates an empty outer map with its placeholder; the file descriptor is the caller's. */
export async function createOuterMap(
  shim: Shim,
  openOuter: (fd: number) => ArrayOfMaps,
  slots: number,
): Promise<ArrayOfMaps> {
  const placeholder = createInnerMap(shim, 1);
  try {
    const outer = openOuter(
      await createMapAside(shim, {
        type: mapTypeArrayOfMaps,
        name: "records",
        keySize: 4,
        valueSize: 4,
        maxEntries: slots,
        innerFd: placeholder,
      }),
    );
    try {
      await outer.publish([{ slot: placeholderSlot, fd: placeholder }], 1);
    } catch (error) {
      outer[Symbol.dispose]();
      throw error;
    }
    return outer;
  } finally {
    closeFd(shim, placeholder);
  }
}

/**
 * Whether an outer map takes the pool's inner maps: its placeholder tells. One that is missing is put back, which waits for a
 * grace period.
 */
export function takesRecords(outer: ArrayOfMaps): boolean {
  const { shim } = outer;
  const id = outer.lookup(placeholderSlot);
  if (id !== undefined) {
    const is = withInnerMap(shim, id, (fd) => mapInfo(shim, fd));
    return is !== undefined &&
      (["type", "keySize", "valueSize", "flags"] as const).every((field) =>
        is[field] === innerMapShape[field]
      );
  }
  const placeholder = createInnerMap(shim, 1);
  const slot = new Uint32Array([placeholderSlot]);
  const result = shim.call.weft_map_update(outer.fd, slot, new Uint32Array([placeholder]), 0n);
  closeFd(shim, placeholder);
  const EINVAL = 22;
  return result !== -EINVAL && check(result, "put the placeholder back into", `map ${outer.name}`) === 0;
}

/** Puts everything of one outer map into a larger one: the same inner maps in the same slots. */
export async function copyOuterMap(from: ArrayOfMaps, to: ArrayOfMaps, threads: number): Promise<void> {
  const { shim } = to;
  const slots = await from.read();
  const placeholder = slots.get(placeholderSlot);
  let batch: { slot: number; fd: number }[] = [];
  const publish = async () => {
    try {
      await to.publish(batch, threads);
    } finally {
      for (const { fd } of batch) closeFd(shim, fd);
      batch = [];
    }
  };
  for (const [slot, id] of slots) {
    if (id === placeholder && slot !== placeholderSlot) continue;
    const fd = openMapById(shim, id);
    if (fd !== undefined) batch.push({ slot, fd });
    if (batch.length === batchSize) await publish();
  }
  await publish();
}

/** A record to be made. */
export interface NewRecord {
  readonly slot: number;
  /** Entries that the inner map can hold. */
  readonly capacity: number;
  readonly entries: RecordEntries;
}

/**
 * Creates, fills and publishes records: one grace period a batch. While two batches wait for theirs, which overlap, the next one is made.
 * On an error some are published.
 *
 * @param threads how publishing waits (ArrayOfMaps.publish)
 * @param pause called between records, of which a batch takes tens of milliseconds. @default {noPause}
 * @returns the inner maps' ids
 */
export async function publishRecords(
  outer: ArrayOfMaps,
  records: readonly NewRecord[],
  threads: number,
  pause: Pause = noPause,
): Promise<number[]> {
  // Three batches may be open at a time, where one will not do.
  const atOnce = records.length <= batchSize ? batchSize : Math.floor(batchSize / 3);
  const batches: Promise<number[]>[] = [];
  try {
    for (let start = 0; start < records.length; start += atOnce) {
      const made = await makeRecords(outer.shim, records.slice(start, start + atOnce), pause);
      const published = publishMade(outer, made, threads);
      // It fails where it is waited for, below, not before.
      published.catch(() => {});
      batches.push(published);
      await batches.at(-3);
    }
  } finally {
    await Promise.allSettled(batches);
  }
  return (await Promise.all(batches)).flat();
}

/** A filled inner map that nothing refers to yet; the file descriptor is the owner's. */
interface MadeRecord {
  readonly slot: number;
  readonly fd: number;
}

async function makeRecords(
  shim: Shim,
  records: readonly NewRecord[],
  pause: Pause,
): Promise<MadeRecord[]> {
  const made: MadeRecord[] = [];
  try {
    for (const { slot, capacity, entries } of records) {
      const fd = createInnerMap(shim, capacity);
      made.push({ slot, fd });
      const filling = fillInnerMap(shim, fd, entries);
      if (!filling.next().done) await inSlices(filling, pause);
      const turn = pause();
      if (turn) await turn;
    }
  } catch (error) {
    closeAll(shim, made);
    throw error;
  }
  return made;
}

function closeAll(shim: Shim, made: readonly MadeRecord[]): void {
  for (const { fd } of made) closeFd(shim, fd);
}

/** Publishes one batch, and closes its file descriptors. @returns the inner maps' ids */
async function publishMade(
  outer: ArrayOfMaps,
  made: readonly MadeRecord[],
  threads: number,
): Promise<number[]> {
  const { shim } = outer;
  try {
    // Where look-ups do not wait one call for the whole batch will do, afterwards.
    const ids = threads === 0 ? undefined : made.map(({ fd }) => mapInfo(shim, fd).id);
    await outer.publish(made, threads);
    return ids ?? idsIn(outer, made);
  } finally {
    closeAll(shim, made);
  }
}

/** The ids of inner maps that were just published. */
function idsIn(outer: ArrayOfMaps, assignments: readonly { readonly slot: number }[]): number[] {
  const slots = assignments.map(({ slot }) => slot);
  const ascending = slots.toSorted((a, b) => a - b);
  const ids = outer.lookupMany(ascending);
  const bySlot = new Map(ascending.map((slot, i) => [slot, ids[i]]));
  return slots.map((slot) => bySlot.get(slot)!);
}

/** Reads the record in a slot; `undefined` where there is none. */
export function readRecord(outer: ArrayOfMaps, slot: number) {
  const id = outer.lookup(slot);
  return id === undefined ? undefined : readRecordById(outer.shim, id);
}

/** What an outer map holds. */
export interface FoundSlots {
  /** The placeholder's map id; `undefined` where somebody took it away. */
  readonly placeholder: number | undefined;
  /** Inner maps by slot, each of which is in no other slot. */
  readonly allocated: ReadonlyMap<number, { readonly id: number; readonly capacity: number }>;
}

/** The slots that hold an inner map of their own: not the placeholder, and none that somebody put into several slots. */
export function ownSlots(slots: ReadonlyMap<number, number>): Map<number, number> {
  const holders = new Map<number, number>();
  for (const id of slots.values()) holders.set(id, (holders.get(id) ?? 0) + 1);
  return new Map(slots.entries().filter(([slot, id]) => slot !== placeholderSlot && holders.get(id) === 1));
}

/**
 * What is in which slots.
 *
 * @param slots map ids by slot, as read from the outer map
 * @param known capacities by map id; the others are asked for
 */
export function* readSlots(
  outer: ArrayOfMaps,
  slots: ReadonlyMap<number, number>,
  known: ReadonlyMap<number, number>,
): Steps<FoundSlots> {
  const allocated = new Map<number, { id: number; capacity: number }>();
  for (const [slot, id] of ownSlots(slots)) {
    const capacity = known.get(id) ?? readCapacity(outer.shim, id);
    if (capacity !== undefined) allocated.set(slot, { id, capacity });
    yield;
  }
  return { placeholder: slots.get(placeholderSlot), allocated };
}
