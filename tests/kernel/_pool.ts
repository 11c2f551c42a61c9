/** A record pool on an outer map of its own, and what the kernel says of it. */

import assert from "node:assert/strict";
import { ArrayOfMaps, closeFd, openMapById, openShim, type Shim, type workload } from "../../ffi/mod.ts";
import {
  createOuterMap,
  createRecordPool,
  defaultWatermarks,
  type FoundSlots,
  readRecord,
  type RecordPool,
  type Watermarks,
} from "../../src/records/mod.ts";

export interface KernelPool extends Disposable {
  readonly shim: Shim;
  readonly outer: ArrayOfMaps;
  readonly pool: RecordPool;
  /** The slots that hold an inner map of their own, lowest first, as the kernel's own iteration finds them. */
  readonly slots: () => number[];
  /** Another pool on the same outer map, as an agent makes one that takes over. */
  readonly restored: (found: FoundSlots & { readonly used: ReadonlySet<number> }) => RecordPool;
  /** How many calls of a kind there were while something was done. */
  readonly callsOf: (what: string, action: () => unknown) => Promise<number>;
}

/** @param threads 0: one batch, else so many threads that overlap their waits */
export async function openKernelPool(
  threads: number,
  options: { readonly size?: number; readonly watermarks?: Partial<Watermarks> } = {},
): Promise<KernelPool> {
  const shim = openShim();
  const outer = await createOuterMap(
    shim,
    (fd) => new ArrayOfMaps(shim, fd, "records"),
    options.size ?? 4096,
  );
  const watermarks = { ...defaultWatermarks, ...options.watermarks };
  const restored: KernelPool["restored"] = (found) =>
    createRecordPool({ shim, outer: () => outer, threads, watermarks, found });
  return {
    shim,
    outer,
    pool: createRecordPool({ shim, outer: () => outer, threads, watermarks }),
    slots: () => {
      const all = new Map(outer.entries());
      return [...all].filter(([, id]) => id !== all.get(0)).map(([slot]) => slot).toSorted((a, b) => a - b);
    },
    restored,
    callsOf: async (what, action) => {
      const before = shim.counts.get(what) ?? 0;
      await action();
      return (shim.counts.get(what) ?? 0) - before;
    },
    [Symbol.dispose]: () => {
      outer[Symbol.dispose]();
      shim[Symbol.dispose]();
    },
  };
}

/** So many entries that are told apart from any other `seed`'s. */
export function entriesOf(length: number, seed: number): workload.RecordEntry[] {
  return Array.from({ length }, (_, i) => ({ threshold: seed, endpoint: seed * 1000 + i }));
}

/** Asserts that a slot holds a record that begins with these entries. */
export function assertRecord(
  { outer }: KernelPool,
  slot: number,
  entries: readonly workload.RecordEntry[],
): void {
  assert.deepEqual(readRecord(outer, slot)?.entries.slice(0, entries.length), entries);
}

/** Asserts that the pool's figures are what the kernel's own iteration finds. */
export function assertAgrees({ pool, slots, outer, shim }: KernelPool): void {
  const found = slots();
  assert.equal(pool.allocated, found.length);
  const classes = pool.classes();
  assert.equal(classes.reduce((sum, one) => sum + one.allocated, 0), found.length);
  assert.equal(classes.reduce((sum, one) => sum + one.used, 0), pool.used);
  const capacities = Map.groupBy(found, (slot) => readRecord(outer, slot)!.entries.length);
  assert.deepEqual(
    new Map(classes.map((one) => [one.capacity, [one.allocated, one.highestSlot]])),
    new Map(
      [...capacities].toSorted(([a], [b]) => a - b).map((
        [capacity, of],
      ) => [capacity, [of.length, of.at(-1)]]),
    ),
  );
  const memories = found.map((slot) => memoryOf(shim, outer.lookup(slot)!));
  // Before 6.4 the kernel tells whole pages, whatever a map takes.
  if (memories.some((bytes) => bytes % 4096 !== 0)) {
    assert.equal(pool.memory(), memories.reduce((sum, bytes) => sum + bytes));
  }
}

function memoryOf(shim: Shim, id: number): number {
  const fd = openMapById(shim, id)!;
  try {
    const text = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
    return Number(/^memlock:\s+(\d+)$/m.exec(text)![1]);
  } finally {
    closeFd(shim, fd);
  }
}
