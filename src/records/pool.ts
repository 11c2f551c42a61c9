/**
 * The record pool: which slots of the outer map hold which inner maps, and spares ahead of need.
 *
 * The pool owns slots and inner maps; what a record means is its caller's business. Nobody but the pool writes the outer map.
 *
 * - A record takes a spare of its size class, filled and named by its caller without any waiting. Where a burst finds too few
 *   spares, the rest is created and published in batches.
 * - `tend` grows and shrinks each class between its watermarks, in batches, on another thread.
 * - No file descriptor of an inner map is kept.
 * - The kernel is the only memory: a new agent finds the slots in the outer map and who uses them in `services`.
 */

import { type ArrayOfMaps, closeFd, KernelError, openMapById, type Shim, workload } from "../../ffi/mod.ts";
import { inSlices, noPause, type Pause } from "../host/mod.ts";
import {
  createInnerMap,
  fillInnerMap,
  innerMap,
  innerMapHeader,
  innerMapShape,
  readCapacity,
} from "./inner_map.ts";
import {
  batchSize,
  firstSlot,
  type FoundSlots,
  type NewRecord,
  placeholderSlot,
  publishRecords,
} from "./outer_map.ts";
import { RecordError } from "./record_error.ts";
import type { Acquired, Audit, ClassState, PoolCounts, RecordContent, RecordPool } from "./record_pool.ts";
import { capacityOf, checkLength, classCount, classOf } from "./size_class.ts";
import { createSlotTable, type SlotContent } from "./slot_table.ts";
import { correction, stepOf, type Watermarks } from "./watermarks.ts";

/**
 * A record with no spare in its class takes one of the next classes, up to twice its size, so that an odd one need not wait. Only
 * so many before the next publish: of a burst the others wait anyway, and should have the size that is theirs.
 */
const classesAbove = 4;
const mostBorrowed = 16;

/** Classes that nothing uses, but whose neighbour may grow into, keep spares only where one costs no more than this, in bytes. */
const cheap = 1024;

const nothingDone: PoolCounts = {
  fromSpares: 0,
  bursts: 0,
  burstRecords: 0,
  grown: 0,
  shrunk: 0,
  repaired: 0,
};

export interface PoolOptions {
  readonly shim: Shim;
  /** The outer map of the current generation; not asked for before there is one. */
  readonly outer: () => ArrayOfMaps;
  /**
   * The slots that the outer map has, or will have.
   *
   * @default {as many as it says}
   */
  readonly size?: () => number;
  /** How publishing waits: 0 for one batch, else that many threads (ArrayOfMaps.publish). */
  readonly threads: number;
  readonly watermarks: Watermarks;
  /** What an earlier pool of this agent has done: counted on. */
  readonly counts?: PoolCounts;
  /** What the outer map holds already, and which of its slots are in use, whether they hold anything or not; the others are spares. */
  readonly found?: FoundSlots & { readonly used: ReadonlySet<number> };
}

/** Creates the pool of an outer map. What a killed agent left there unused is spare, once a grace period has passed. */
export function createRecordPool(options: PoolOptions): RecordPool {
  const { shim, outer, threads, watermarks, found } = options;
  let sized: { readonly map: ArrayOfMaps; readonly size: number } | undefined;
  const size = options.size ?? (() => {
    const map = outer();
    if (sized?.map !== map) sized = { map, size: map.info().maxEntries };
    return sized.size;
  });
  const table = createSlotTable(firstSlot);
  let placeholder = found?.placeholder;
  for (const [slot, content] of found?.allocated ?? []) {
    table.reserve(slot);
    table.put(slot, content, found!.used.has(slot) ? "used" : "spare");
  }
  /** Acquired and without an inner map, with the class that each is to have. */
  const pending = new Map<number, number>();
  for (const slot of found?.used ?? []) {
    if (table.state(slot) !== "free") continue;
    table.reserve(slot);
    pending.set(slot, 0);
  }
  /** Those of them that hold a spare's inner map until they are published. */
  const evicted = new Map<number, SlotContent>();
  /** Acquired spares whose inner maps turned out to be gone. */
  const gone = new Set<number>();
  let borrowed = 0;
  const counts = { ...(options.counts ?? nothingDone) };
  let header: number | undefined;

  const slotBytes = (sizeClass: number) =>
    (header ??= innerMapHeader(shim)) + capacityOf(sizeClass) * innerMapShape.valueSize;

  function stepFor(sizeClass: number): number {
    return stepOf(watermarks, slotBytes(sizeClass), table.count(sizeClass).used);
  }

  /** What each class lacks (positive) or has too many of. */
  function corrections(): [sizeClass: number, slots: number][] {
    const all: [number, number][] = [];
    const coming = new Uint32Array(classCount);
    for (const sizeClass of pending.values()) coming[sizeClass]++;
    for (let sizeClass = 0, below = 0; sizeClass < classCount; sizeClass++) {
      const { used, allocated } = table.count(sizeClass);
      const fill = { used: used + coming[sizeClass], allocated: allocated + coming[sizeClass] };
      if (fill.allocated + below > 0) {
        const next = below > 0 && slotBytes(sizeClass) <= cheap;
        const slots = correction(watermarks, fill, stepFor(sizeClass), next);
        if (slots !== 0) all.push([sizeClass, slots]);
      }
      below = fill.used;
    }
    return all;
  }

  function acquire(length: number): Acquired {
    const sizeClass = classOf(checkLength(length));
    const last = borrowed < mostBorrowed ? Math.min(sizeClass + classesAbove, classCount - 1) : sizeClass;
    for (let one = sizeClass; one <= last; one++) {
      const slot = table.takeSpare(one);
      if (slot === undefined) continue;
      if (one > sizeClass) borrowed++;
      return { slot, capacity: table.content(slot).capacity };
    }
    const slot = table.takeFree(1, size()).at(0) ?? evictSpare() ?? table.takeFree(1)[0];
    pending.set(slot, sizeClass);
    return { slot, capacity: capacityOf(sizeClass) };
  }

  /** Reserves a spare of the class that has most: where the outer map is full, a record comes before other classes' spares. */
  function evictSpare(): number | undefined {
    const spares = (sizeClass: number) => table.count(sizeClass).allocated - table.count(sizeClass).used;
    const most = classNumbers().reduce((most, one) => spares(one) > spares(most) ? one : most, 0);
    const slot = table.takeSpare(most);
    if (slot === undefined) return undefined;
    table.giveSpare(slot);
    table.reserve(slot);
    evicted.set(slot, table.content(slot));
    return slot;
  }

  function expectRecord(slot: number, action: string): void {
    if (table.state(slot) === "used") return;
    throw new RecordError(`cannot ${action} slot ${slot}: it holds no record`);
  }

  function lost(slot: number): RecordError {
    return new RecordError(`record ${slot} is not in the kernel: somebody else changed map records`);
  }

  /** The placeholder of an outer map that is new; from then on, what its slot holds otherwise is not the agent's. */
  function learnPlaceholder(): void {
    placeholder ??= outer().lookup(placeholderSlot);
  }

  /** Opens the placeholder; one that somebody took away is made anew. */
  async function withPlaceholder(action: (fd: number) => Promise<void>): Promise<void> {
    learnPlaceholder();
    const open = placeholder === undefined ? undefined : openMapById(shim, placeholder);
    const fd = open ?? createInnerMap(shim, 1);
    try {
      if (open === undefined) {
        await outer().publish([{ slot: placeholderSlot, fd }], threads);
        placeholder = innerMap(shim, fd).info().id;
      }
      await action(fd);
    } finally {
      closeFd(shim, fd);
    }
  }

  /** Nothing is there that could be taken: a later record, or the next audit, finds the slot free. */
  function forgetSpare(slot: number): void {
    table.reserve(slot);
    table.giveFree([slot]);
    counts.repaired++;
  }

  async function clear(slots: readonly number[]): Promise<void> {
    if (slots.length === 0) return;
    await withPlaceholder((fd) => outer().publish(slots.map((slot) => ({ slot, fd })), threads));
  }

  /**
   * What the kernel holds in slots, whoever put it there. Read all at once on another thread: before 6.8 each look-up waits for a
   * grace period, and a burst may have tens of thousands.
   */
  async function inKernel(slots: readonly number[]): Promise<Map<number, SlotContent>> {
    const ids = await outer().read();
    const held = new Map<number, SlotContent>();
    for (const slot of slots) {
      const id = ids.get(slot);
      const capacity = id === undefined || id === placeholder ? undefined : readCapacity(shim, id);
      if (capacity !== undefined) held.set(slot, { id: id!, capacity });
    }
    return held;
  }

  /** After a publish that failed midway: what the kernel holds decides, slot by slot. */
  async function lookAgain(places: readonly { readonly slot: number }[]): Promise<void> {
    const held = await inKernel(places.map(({ slot }) => slot));
    for (const { slot } of places) {
      const found = held.get(slot);
      if (found) table.put(slot, found, "spare");
      else table.giveFree([slot]);
    }
  }

  /** Adds spares in one batch: one grace period, however many classes they belong to. */
  async function addSpares(
    spares: readonly { readonly slot: number; readonly capacity: number }[],
  ): Promise<void> {
    try {
      const ids = await outer().publishNew(innerMapShape, spares, threads);
      spares.forEach(({ slot, capacity }, i) => table.put(slot, { id: ids[i], capacity }, "spare"));
      counts.grown += spares.length;
    } catch (error) {
      await lookAgain(spares);
      throw error;
    }
  }

  /** Adds spares, as far as the outer map has room, batch by batch: what is published is of use at once. */
  async function growClasses(
    wanted: readonly (readonly [sizeClass: number, slots: number])[],
  ): Promise<number> {
    const capacities = wanted.flatMap(([sizeClass, slots]) =>
      Array<number>(slots).fill(capacityOf(sizeClass))
    );
    if (capacities.length === 0) return 0;
    learnPlaceholder();
    const limit = outer().info().maxEntries;
    let added = 0;
    while (added < capacities.length) {
      const batch = capacities.slice(added, added + batchSize);
      const slots = table.takeFree(batch.length, limit);
      if (slots.length === 0) break;
      await addSpares(slots.map((slot, i) => ({ slot, capacity: batch[i] })));
      added += slots.length;
    }
    return added;
  }

  /** Takes the inner maps of reserved slots away, in one batch. */
  async function free(places: readonly Acquired[]): Promise<void> {
    if (places.length === 0) return;
    const slots = places.map(({ slot }) => slot);
    try {
      await clear(slots);
    } catch (error) {
      await lookAgain(places);
      throw error;
    }
    table.giveFree(slots);
    counts.shrunk += slots.length;
  }

  function takeTop(sizeClass: number, count: number): Acquired[] {
    return table.takeTop(sizeClass, count).map((slot) => ({ slot, capacity: table.content(slot).capacity }));
  }

  async function publishPending(records: readonly RecordContent[], pause: Pause): Promise<void> {
    learnPlaceholder();
    const made = records.map((record): NewRecord => ({
      slot: record.slot,
      capacity: capacityOf(pending.get(record.slot)!),
      get entries() {
        return record.entries;
      },
    }));
    const publishedAs = (slot: number, content: SlotContent) => {
      table.put(slot, content, "used");
      pending.delete(slot);
      evicted.delete(slot);
    };
    try {
      const ids = await publishRecords(outer(), made, threads, pause);
      made.forEach(({ slot, capacity }, i) => publishedAs(slot, { id: ids[i], capacity }));
    } catch (error) {
      // What was published is a record, the rest is not: whoever acquired them releases both.
      const held = await inKernel(made.map(({ slot }) => slot));
      for (const [slot, content] of held) publishedAs(slot, content);
      throw error;
    }
  }

  async function audit(): Promise<Audit> {
    learnPlaceholder();
    const seen = await outer().read();
    const repairs: string[] = [];
    const lost: number[] = [];
    const strays: number[] = [];
    const holds = (slot: number) => {
      const id = outer().lookup(slot);
      return id === placeholder ? undefined : id;
    };
    for (const [slot, is, { id }] of [...table.allocated()]) {
      // It may have changed hands since it was read: what it holds now decides.
      if (seen.get(slot) === id || holds(slot) === id) continue;
      if (is === "used") lost.push(slot);
      else {
        table.reserve(slot);
        strays.push(slot);
        repairs.push(`slot ${slot} of map records has lost its spare inner map`);
      }
    }
    for (const [slot, id] of seen) {
      if (slot === placeholderSlot || id === placeholder || table.state(slot) !== "free") continue;
      if (holds(slot) === undefined) continue;
      table.reserve(slot);
      strays.push(slot);
      repairs.push(`slot ${slot} of map records held an inner map that is not the agent's`);
    }
    try {
      if (placeholder === undefined || seen.get(placeholderSlot) !== placeholder) {
        repairs.push(`slot ${placeholderSlot} of map records has lost its placeholder`);
        await withPlaceholder((fd) => outer().publish([{ slot: placeholderSlot, fd }], threads));
      }
      await clear(strays);
    } finally {
      // Where that failed, the next audit finds what they hold.
      table.giveFree(strays);
    }
    counts.repaired += repairs.length;
    return { repairs, lost };
  }

  return {
    acquire,
    grow: (slot, length) => {
      expectRecord(slot, "grow");
      return acquire(length);
    },
    publish: async (records, pause = noPause) => {
      borrowed = 0;
      const missing: RecordContent[] = [];
      for (const record of records) {
        if (pending.has(record.slot)) {
          missing.push(record);
          continue;
        }
        expectRecord(record.slot, "fill");
        const fd = openMapById(shim, table.content(record.slot).id);
        if (fd === undefined) {
          gone.add(record.slot);
          throw lost(record.slot);
        }
        try {
          const filling = fillInnerMap(shim, fd, record.entries);
          if (!filling.next().done) await inSlices(filling, pause);
        } finally {
          closeFd(shim, fd);
        }
        counts.fromSpares++;
        const turn = pause();
        if (turn) await turn;
      }
      if (missing.length === 0) return;
      await publishPending(missing, pause);
      counts.bursts++;
      counts.burstRecords += missing.length;
    },
    write: (records) => {
      for (const { slot } of records) expectRecord(slot, "write");
      for (const { slot, writes } of records) {
        try {
          const places = writes.map(([position, value]) => ({ place: slot, position, value }));
          outer().writeInner(workload.recordEntry, places);
        } catch (error) {
          if (error instanceof KernelError && error.code === "ENOENT") throw lost(slot);
          throw error;
        }
      }
    },
    release: (slots) => {
      const released = new Set<number>();
      for (const slot of slots) {
        if (released.has(slot)) throw new RecordError(`cannot release slot ${slot} twice`);
        if (!pending.has(slot)) expectRecord(slot, "release");
        released.add(slot);
      }
      for (const slot of released) {
        const spare = evicted.get(slot);
        if (!pending.delete(slot)) table.giveSpare(slot);
        else if (spare) table.put(slot, spare, "spare");
        else table.giveFree([slot]);
        evicted.delete(slot);
        if (gone.delete(slot)) forgetSpare(slot);
      }
    },
    tend: async () => {
      const wanted = corrections();
      await free(wanted.flatMap(([sizeClass, slots]) => slots < 0 ? takeTop(sizeClass, -slots) : []));
      await growClasses(wanted.filter(([, slots]) => slots > 0));
    },
    growClass: (sizeClass, count) => growClasses([[sizeClass, count]]),
    shrinkClass: async (sizeClass, count) => {
      const places = takeTop(sizeClass, count);
      await free(places);
      return places.length;
    },
    audit,
    isUsed: (slot) => table.state(slot) === "used",
    get used() {
      return table.used;
    },
    get allocated() {
      return allAllocated();
    },
    get counts() {
      return { ...counts };
    },
    classes: () => {
      const highest = table.highest();
      return classNumbers().map((sizeClass): ClassState => {
        const { used, allocated } = table.count(sizeClass);
        return {
          capacity: capacityOf(sizeClass),
          used,
          allocated,
          highestSlot: highest.get(sizeClass)!,
          step: stepFor(sizeClass),
          bytes: allocated * slotBytes(sizeClass),
        };
      });
    },
    get end() {
      return table.end;
    },
    endWithSpares: () => {
      // What is on its way (reserved) is in `corrections` still.
      const more = sum(corrections().map(([, slots]) => Math.max(0, slots)));
      return Math.max(table.end, firstSlot + allAllocated() + pending.size + more);
    },
    memory: () =>
      sum(classNumbers().map((sizeClass) => table.count(sizeClass).allocated * slotBytes(sizeClass))),
  };

  function allAllocated(): number {
    return sum(classNumbers().map((sizeClass) => table.count(sizeClass).allocated));
  }

  function classNumbers(): number[] {
    return Array.from({ length: classCount }, (_, i) => i).filter((i) => table.count(i).allocated > 0);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
