/**
 * The elastic map-in-map: variable-length lists in the kernel, each an inner map behind one slot of the outer map.
 *
 * The pool owns slots and inner maps; what a record means is its caller's business. Nobody but the pool writes the outer map.
 *
 * - A slot that holds no record holds the placeholder, one shared inner map: releasing thousands of slots is then one
 *   batched publish, like filling them, where deleting would wait for a grace period each (FACTS: 8.5 ms).
 * - Slot 0 is the placeholder's for good: that is how a new agent recognises it.
 * - No file descriptor of an inner map is kept.
 */

import {
  type ArrayOfMaps,
  createMap,
  KernelMap,
  openMapById,
  type Shim,
  u32,
  workload,
} from "../../ffi/mod.ts";
import { createIndexAllocator, type IndexAllocator } from "./index_allocator.ts";

const mapTypeArray = 2;
const mapTypeArrayOfMaps = 12;
const innerMapFlag = 1 << 12; // BPF_F_INNER_MAP: inner maps of one outer map may differ in length (5.10)
const entrySize = workload.recordEntry.size;

/** Records published in one go: bounds the file descriptors open at a time. */
const publishBatch = 1000;

/** Entries in kernel form: {threshold, endpoint index}. */
export type RecordEntries = readonly workload.RecordEntry[];

/** A record to be made. */
export interface NewRecord {
  readonly slot: number;
  /** Entries that the inner map can hold. */
  readonly capacity: number;
  readonly entries: RecordEntries;
}

/** Changes to a published record, each one aligned 64-bit word. */
export interface RecordWrite {
  readonly slot: number;
  readonly writes: readonly (readonly [position: number, entry: workload.RecordEntry])[];
}

/** The entries that an inner map for `length` entries has room for: the next power of two. */
export function capacityFor(length: number): number {
  return length <= 1 ? 1 : 2 ** (32 - Math.clz32(length - 1));
}

/** Creates an empty outer map with its placeholder in every slot; the file descriptor is the caller's. */
export async function createOuterMap(
  shim: Shim,
  openOuter: (fd: number) => ArrayOfMaps,
  slots: number,
): Promise<ArrayOfMaps> {
  const placeholder = createInnerMap(shim, 1);
  try {
    const outer = openOuter(createMap(shim, {
      type: mapTypeArrayOfMaps,
      name: "records",
      keySize: 4,
      valueSize: 4,
      maxEntries: slots,
      innerFd: placeholder,
    }));
    await outer.publish([{ slot: 0, fd: placeholder }], 1);
    return outer;
  } finally {
    shim.call.weft_close(placeholder);
  }
}

/** Puts everything of one outer map into a larger one: the same inner maps in the same slots. */
export async function copyOuterMap(from: ArrayOfMaps, to: ArrayOfMaps, threads: number): Promise<void> {
  let batch: { slot: number; fd: number }[] = [];
  const publish = async () => {
    try {
      await to.publish(batch, threads);
    } finally {
      for (const { fd } of batch) to.shim.call.weft_close(fd);
      batch = [];
    }
  };
  for (const [slot, id] of from.entries()) {
    const fd = openMapById(to.shim, id);
    if (fd !== undefined) batch.push({ slot, fd });
    if (batch.length === publishBatch) await publish();
  }
  await publish();
}

function createInnerMap(shim: Shim, capacity: number): number {
  return createMap(shim, {
    type: mapTypeArray,
    name: "record",
    keySize: 4,
    valueSize: entrySize,
    maxEntries: capacity,
    flags: innerMapFlag,
  });
}

function innerMap(shim: Shim, fd: number): KernelMap<number, workload.RecordEntry> {
  return new KernelMap(shim, fd, { name: "record", key: u32, value: workload.recordEntry });
}

/** What is published where, found in the kernel. */
export interface FoundRecord {
  readonly capacity: number;
  /** All that the inner map holds, those behind the record's length too. */
  readonly entries: RecordEntries;
}

/** Reads the record in a slot; `undefined` where there is none. */
export function readRecord(outer: ArrayOfMaps, slot: number): FoundRecord | undefined {
  const id = outer.lookup(slot);
  return id === undefined ? undefined : readRecordById(outer.shim, id);
}

/** Reads the record with this map id; `undefined` where it is gone. */
export function readRecordById(shim: Shim, id: number): FoundRecord | undefined {
  const fd = openMapById(shim, id);
  if (fd === undefined) return undefined;
  using map = innerMap(shim, fd);
  const entries = [...map.entries()].map(([, entry]) => entry);
  return { capacity: entries.length, entries };
}

export interface RecordPool {
  /** Slots that hold no record. */
  readonly slots: IndexAllocator;
  /** Creates, fills and publishes records; their slots come from `slots`. */
  publish(records: readonly NewRecord[]): Promise<void>;
  /** Edits published records in place. */
  write(records: readonly RecordWrite[]): void;
  /** Frees records. The caller has waited for a grace period since the last word naming them was changed. */
  release(slots: readonly number[]): Promise<void>;
  /** The kernel memory of all inner maps that hold records, in bytes. */
  memory(): number;
}

/**
 * @param threads how publishing waits: 0 for one batch, else that many threads (see `ArrayOfMaps.publish`)
 * @param used slots that hold records already, with the entries that each has room for
 */
export function createRecordPool(
  outer: () => ArrayOfMaps,
  threads: number,
  used: Iterable<readonly [slot: number, capacity: number]>,
): RecordPool {
  const slots = createIndexAllocator(1);
  /** By slot: what the inner maps hold, so that nobody has to ask the kernel for it. */
  const capacities = new Map<number, number>(used);
  for (const slot of capacities.keys()) slots.reserve(slot);

  return {
    slots,
    publish: async (records) => {
      const { shim } = outer();
      for (let start = 0; start < records.length; start += publishBatch) {
        const assignments: { slot: number; fd: number }[] = [];
        const batch = records.slice(start, start + publishBatch);
        try {
          for (const record of batch) {
            const fd = createInnerMap(shim, record.capacity);
            assignments.push({ slot: record.slot, fd });
            innerMap(shim, fd).updateMany(
              record.entries.map((entry, position) => [position, entry] as const),
            );
          }
          await outer().publish(assignments, threads);
          for (const { slot, capacity } of batch) capacities.set(slot, capacity);
        } finally {
          for (const { fd } of assignments) shim.call.weft_close(fd);
        }
      }
    },
    write: (records) => {
      for (const { slot, writes } of records) {
        const { shim } = outer();
        const id = outer().lookup(slot);
        const fd = id === undefined ? undefined : openMapById(shim, id);
        if (fd === undefined) {
          throw new Error(`record ${slot} is not in the kernel: somebody else changed map records`);
        }
        using map = innerMap(shim, fd);
        map.updateMany(writes);
      }
    },
    release: async (released) => {
      if (released.length === 0) return;
      const { shim } = outer();
      const id = outer().lookup(0);
      const placeholder = id === undefined ? undefined : openMapById(shim, id);
      if (placeholder === undefined) {
        throw new Error("slot 0 of map records is empty: somebody else changed it");
      }
      try {
        await outer().publish(released.map((slot) => ({ slot, fd: placeholder })), threads);
      } finally {
        shim.call.weft_close(placeholder);
      }
      for (const slot of released) {
        slots.giveBack(slot);
        capacities.delete(slot);
      }
    },
    memory: () => capacities.size * headerBytes(outer().shim) + sum(capacities.values()) * entrySize,
  };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** The kernel memory of an inner map besides its entries, in bytes: asked of the kernel by way of one that is made for it. */
function headerBytes(shim: Shim): number {
  using map = innerMap(shim, createInnerMap(shim, 1));
  return map.memory() - entrySize;
}
