/**
 * Which slot of the outer map holds what. Pure bookkeeping: it changes when the pool has changed the kernel, or is about to.
 *
 *     free ──takeFree──▶ reserved ──put──▶ spare ◀──giveSpare── used
 *       ▲                  │  ▲              │ │                  ▲
 *       └─────giveFree─────┘  └──takeTop─────┘ └────takeSpare─────┘
 */

import { createMinHeap, type MinHeap } from "./min_heap.ts";
import { RecordError } from "./record_error.ts";
import { classCount, classServedBy } from "./size_class.ts";

/**
 * `free`: no inner map of its own. `reserved`: about to get one, or to lose it. `spare`: an inner map that no record uses.
 * `used`: a record.
 */
export type SlotState = "free" | "reserved" | "spare" | "used";
const states: readonly SlotState[] = ["free", "reserved", "spare", "used"];
const FREE = 0, RESERVED = 1, SPARE = 2, USED = 3;

/** What is in a slot. */
export interface SlotContent {
  /** The inner map's id. */
  readonly id: number;
  /** The entries it has room for. */
  readonly capacity: number;
}

/** Slots of one size class. */
export interface ClassCount {
  readonly used: number;
  readonly allocated: number;
}

export interface SlotTable {
  state(slot: number): SlotState;
  content(slot: number): SlotContent;
  /** Reserves the lowest free slots. @param limit none at or above it; fewer are given where it is reached */
  takeFree(count: number, limit?: number): number[];
  /** Reserves one slot that is free or spare. */
  reserve(slot: number): void;
  /** What was reserved is free. */
  giveFree(slots: readonly number[]): void;
  /** What was reserved holds an inner map. */
  put(slot: number, content: SlotContent, state: "spare" | "used"): void;
  /** The lowest spare of a class, used from now on. */
  takeSpare(sizeClass: number): number | undefined;
  /** A used slot is a spare. */
  giveSpare(slot: number): void;
  /** Reserves spares of a class, from the top down. */
  takeTop(sizeClass: number, count: number): number[];
  count(sizeClass: number): ClassCount;
  /** The highest slot of each class that has any. */
  highest(): ReadonlyMap<number, number>;
  /** Slots that hold an inner map, with their state. */
  allocated(): Generator<readonly [slot: number, state: "spare" | "used", content: SlotContent]>;
  readonly used: number;
  /** One more than the highest slot that is not free: what the outer map must have room for. */
  readonly end: number;
}

/** @param first the lowest slot to hand out */
export function createSlotTable(first: number): SlotTable {
  let state = new Uint8Array(256);
  let ids = new Uint32Array(256);
  let capacities = new Uint32Array(256);
  let classes = new Uint8Array(256);
  let end = first;
  /** Free slots below `end`. */
  let holes = 0;
  let usedSlots = 0;
  const used = new Uint32Array(classCount);
  const allocated = new Uint32Array(classCount);
  /** May hold slots that are free (or spare) no more, or beyond `end`: asked for their state when they come up. */
  const free = createMinHeap();
  const spares = new Map<number, MinHeap>();

  function makeRoom(slot: number): void {
    if (slot < state.length) return;
    const length = Math.max(slot + 1, state.length * 2);
    const grown = <T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(old: T, next: T): T => {
      next.set(old);
      return next;
    };
    state = grown(state, new Uint8Array(length));
    ids = grown(ids, new Uint32Array(length));
    capacities = grown(capacities, new Uint32Array(length));
    classes = grown(classes, new Uint8Array(length));
  }

  function expect(slot: number, wanted: number, action: string): void {
    if (slot < first || slot >= end || state[slot] !== wanted) {
      const is = slot >= first && slot < end ? states[state[slot]] : "free";
      throw new RecordError(`cannot ${action} slot ${slot}: it is ${is}, not ${states[wanted]}`);
    }
  }

  function sparesOf(sizeClass: number): MinHeap {
    let heap = spares.get(sizeClass);
    if (!heap) spares.set(sizeClass, heap = createMinHeap());
    return heap;
  }

  function addSpare(slot: number): void {
    state[slot] = SPARE;
    sparesOf(classes[slot]).push(slot);
  }

  function extendTo(slot: number): void {
    for (; end <= slot; end++) {
      makeRoom(end);
      holes++;
      free.push(end);
    }
  }

  return {
    state: (slot) => slot >= first && slot < end ? states[state[slot]] : "free",
    content: (slot) => ({ id: ids[slot], capacity: capacities[slot] }),
    takeFree: (count, limit = Infinity) => {
      const taken: number[] = [];
      while (taken.length < count) {
        if (holes === 0 && end < limit) extendTo(end);
        const slot = free.pop();
        if (slot === undefined) break;
        if (state[slot] !== FREE) continue;
        if (slot >= limit) {
          free.push(slot);
          break;
        }
        state[slot] = RESERVED;
        holes--;
        taken.push(slot);
      }
      return taken;
    },
    reserve: (slot) => {
      if (slot >= end) extendTo(slot);
      if (state[slot] === SPARE) allocated[classes[slot]]--;
      else {
        expect(slot, FREE, "reserve");
        holes--;
      }
      state[slot] = RESERVED;
    },
    giveFree: (slots) => {
      for (const slot of slots) {
        expect(slot, RESERVED, "free");
        state[slot] = FREE;
        holes++;
        free.push(slot);
      }
      // A mesh that was refused for its size must not leave its size behind.
      for (; end > first && state[end - 1] === FREE; end--) holes--;
    },
    put: (slot, { id, capacity }, to) => {
      expect(slot, RESERVED, "fill");
      ids[slot] = id;
      capacities[slot] = capacity;
      classes[slot] = classServedBy(capacity);
      allocated[classes[slot]]++;
      if (to === "spare") return addSpare(slot);
      state[slot] = USED;
      used[classes[slot]]++;
      usedSlots++;
    },
    takeSpare: (sizeClass) => {
      const heap = spares.get(sizeClass);
      for (let slot = heap?.pop(); slot !== undefined; slot = heap?.pop()) {
        if (state[slot] !== SPARE || classes[slot] !== sizeClass) continue;
        state[slot] = USED;
        used[sizeClass]++;
        usedSlots++;
        return slot;
      }
      return undefined;
    },
    giveSpare: (slot) => {
      expect(slot, USED, "release");
      used[classes[slot]]--;
      usedSlots--;
      addSpare(slot);
    },
    takeTop: (sizeClass, count) => {
      const top: number[] = [];
      const rest: number[] = [];
      for (let slot = end - 1; slot >= first; slot--) {
        if (state[slot] !== SPARE || classes[slot] !== sizeClass) continue;
        (top.length < count ? top : rest).push(slot);
      }
      for (const slot of top) {
        state[slot] = RESERVED;
        allocated[sizeClass]--;
      }
      const heap = createMinHeap();
      for (const slot of rest) heap.push(slot);
      spares.set(sizeClass, heap);
      return top;
    },
    count: (sizeClass) => ({ used: used[sizeClass], allocated: allocated[sizeClass] }),
    highest: () => {
      const highest = new Map<number, number>();
      for (let slot = first; slot < end; slot++) if (state[slot] >= SPARE) highest.set(classes[slot], slot);
      return highest;
    },
    *allocated() {
      for (let slot = first; slot < end; slot++) {
        if (state[slot] < SPARE) continue;
        const is = state[slot] === USED ? "used" : "spare";
        yield [slot, is, { id: ids[slot], capacity: capacities[slot] }] as const;
      }
    },
    get used() {
      return usedSlots;
    },
    get end() {
      return end;
    },
  };
}
