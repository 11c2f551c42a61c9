/** A record pool on a fake kernel, and beside it a model: which slots the pool's caller names, and what they hold. */

import assert from "node:assert/strict";
import { ArrayOfMaps, KernelError, openPin, type workload } from "../../ffi/mod.ts";
import {
  createOuterMap,
  createRecordPool,
  defaultWatermarks,
  readRecord,
  readSlots,
  type RecordPool,
} from "../../src/records/mod.ts";
import { finish } from "../../src/host/mod.ts";
import { capacityOf, classServedBy } from "../../src/records/size_class.ts";
import { createInnerMap, innerMap } from "../../src/records/inner_map.ts";
import { createFakeKernel, type FakeKernel, type FakeMap, numberOf, u32Key } from "./_fake_kernel.ts";

type Entry = workload.RecordEntry;
type Random = () => number;

const pin = "/records";
const header = 312;

/** Everything that promises set off has run after a turn of the event loop. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export interface PoolWorld {
  readonly kernel: FakeKernel;
  readonly outer: ArrayOfMaps;
  readonly pool: RecordPool;
}

/** @param found what a killed agent left is taken over, with these slots in use */
function open(kernel: FakeKernel, used?: ReadonlySet<number>, step = 0): PoolWorld {
  const outer = new ArrayOfMaps(kernel.shim, openPin(kernel.shim, pin)!, "records");
  const found = used && { ...finish(readSlots(outer, new Map(outer.entries()), new Map())), used };
  const pool = createRecordPool({
    shim: kernel.shim,
    outer: () => outer,
    threads: 0,
    watermarks: { ...defaultWatermarks, step },
    found,
  });
  return { kernel, outer, pool };
}

/** An empty pool. @param step of all classes; 0: it adapts */
export async function startPool(slots: number, step = 0, random?: Random): Promise<PoolWorld> {
  const kernel = createFakeKernel(random);
  const { shim } = kernel;
  using outer = await createOuterMap(shim, (fd) => new ArrayOfMaps(shim, fd, "records"), slots);
  kernel.pins.set(pin, outer.info().id);
  return open(kernel, undefined, step);
}

/** The pool of a new agent, on what another one left. */
export function restorePool(kernel: FakeKernel, used: Iterable<number>): PoolWorld {
  return open(kernel, new Set(used));
}

/** Entries that tell records apart. */
export function entriesOf(length: number, seed: number): Entry[] {
  return Array.from({ length }, (_, position) => ({ threshold: seed, endpoint: seed * 100 + position }));
}

/** Some, each with entries of its own. */
export const records = (count: number, length: number) =>
  Array.from({ length: count }, (_, i) => entriesOf(length, i + 1));

/** The slots that hold an inner map with room for so many entries. */
export function slotsWith({ kernel, outer }: PoolWorld, capacity: number): number[] {
  return outer.entries().filter(([slot, id]) => slot !== 0 && kernel.maps.get(id)!.maxEntries === capacity)
    .map(([slot]) => slot);
}

/** Acquires places, and fills them. @returns their slots */
export async function publishAll(
  { pool }: PoolWorld,
  records: readonly (readonly Entry[])[],
): Promise<number[]> {
  const contents = records.map((entries) => ({ slot: pool.acquire(entries.length).slot, entries }));
  await pool.publish(contents);
  return contents.map(({ slot }) => slot);
}

/** Publishing and reading takes a while, during which others may run; publishing goes element by element. */
export function makeSlow({ shim: { call } }: FakeKernel, random: Random): void {
  const { weft_map_publish: publish, weft_map_publish_new: publishNew, weft_map_read_slots_aside: read } =
    call;
  const pause = async () => {
    for (let count = Math.floor(random() * 12); count > 0; count--) await null;
  };
  const one = (buffer: unknown, i: number) => (buffer as Uint32Array<ArrayBuffer>).subarray(i, i + 1);
  const slow: Pick<typeof call, "weft_map_publish" | "weft_map_publish_new" | "weft_map_read_slots_aside"> = {
    weft_map_read_slots_aside: async (...call) => {
      await pause();
      const result = await read(...call);
      await pause();
      return result;
    },
    weft_map_publish: async (fd, slots, fds, count, threads) => {
      for (let i = 0; i < count; i++) {
        await pause();
        const result = await publish(fd, one(slots, i), one(fds, i), 1, threads);
        if (result) return result;
      }
      await pause();
      return 0;
    },
    weft_map_publish_new: async (fd, name, size, flags, slots, capacities, ids, count, threads) => {
      for (let i = 0; i < count; i++) {
        await pause();
        const places = [one(slots, i), one(capacities, i), one(ids, i)] as const;
        const result = await publishNew(fd, name, size, flags, ...places, 1, threads);
        if (result) return result;
      }
      await pause();
      return 0;
    },
  };
  Object.assign(call, slow);
}

/** What a slot of a fake outer map holds. */
export function idIn(kernel: FakeKernel, slot: number): number | undefined {
  const id = kernel.map("records").values.get(u32Key(slot));
  return id && new DataView(id.buffer, id.byteOffset).getUint32(0, true);
}

/** Somebody else puts a map into a slot, or takes out what is there (no id). A map that is in no slot then is gone. */
export function tamper(kernel: FakeKernel, slot: number, id?: number): void {
  const { values } = kernel.map("records");
  const before = idIn(kernel, slot);
  if (id === undefined) values.delete(u32Key(slot));
  else values.set(u32Key(slot), new Uint8Array(Uint32Array.of(id).buffer));
  const held = [...values.keys()].some((key) => idIn(kernel, numberOf(key)) === before);
  if (before !== undefined && !held) (kernel.maps as Map<number, FakeMap>).delete(before);
}

/** A map of somebody else's. */
export function foreignMap({ shim }: FakeKernel, capacity: number): number {
  using map = innerMap(shim, createInnerMap(shim, capacity));
  return map.info().id;
}

/**
 * Asserts that the pool knows what the kernel holds, by the kernel's own iteration, once nothing is under way.
 *
 * @param owned the slots that hold records, or were acquired with an inner map
 */
export function assertAgrees({ kernel, outer, pool }: PoolWorld, owned: ReadonlySet<number>): void {
  const placeholder = idIn(kernel, 0);
  const slots = outer.entries().filter(([, id]) => id !== placeholder);
  const ids = slots.map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length, "an inner map is in two slots");
  const kernelClasses = Map.groupBy(
    slots,
    ([, id]) => classServedBy(kernel.maps.get(id)!.maxEntries),
  );
  for (const slot of owned) {
    assert.ok(slots.some(([one]) => one === slot), `record ${slot} is not in the kernel`);
    assert.ok(pool.isUsed(slot), `record ${slot} is not in use`);
  }
  const classes = pool.classes();
  assert.deepEqual(
    classes.map(({ step: _, ...one }) => one),
    [...kernelClasses.keys()].sort((a, b) => a - b).map((sizeClass) => {
      const places = kernelClasses.get(sizeClass)!;
      return {
        capacity: capacityOf(sizeClass),
        used: places.filter(([slot]) => owned.has(slot)).length,
        allocated: places.length,
        highestSlot: Math.max(...places.map(([slot]) => slot)),
        bytes: places.length * (header + 8 * capacityOf(sizeClass)),
      };
    }),
  );
  assert.equal(pool.used, owned.size);
  assert.equal(pool.allocated, slots.length);
  assert.equal(pool.memory(), classes.reduce((sum, { bytes }) => sum + bytes, 0));
  assert.equal(pool.end, Math.max(1, ...slots.map(([slot]) => slot + 1)));
  assert.equal(kernel.openFiles, 1, "file descriptors are open besides the outer map's");
}

/** A record that its caller may have named. */
interface Held {
  readonly id: number;
  entries: Entry[];
}

/** What is left of a model when its agent is killed. */
interface Left {
  readonly kernel: FakeKernel;
  readonly named: ReadonlyMap<number, Held>;
  readonly writing: ReadonlyMap<number, Entry[]>;
}

export interface PoolModel {
  readonly world: PoolWorld;
  readonly named: ReadonlyMap<number, unknown>;
  /** Acquires and publishes records of these lengths, and names them. `false`: there is no room, or the kernel refused. */
  publish(lengths: readonly number[]): Promise<boolean>;
  /** Moves a named record to a place for another length. */
  grow(slot: number, length: number): Promise<void>;
  write(slot: number): void;
  /** Names a record no more. A grace period later it is released. */
  forget(slot: number): void;
  /** Releases those that were forgotten long enough ago. */
  releaseForgotten(): void;
  /** Has the pool do something in the background; one after the other. */
  inBackground(action: (pool: RecordPool) => Promise<unknown>): void;
  /** Has the pool compared with the kernel meanwhile: nothing is wrong. */
  audit(): void;
  settle(): Promise<void>;
  /** Asserts all that holds at any time; and where nothing is under way, that the pool agrees with the kernel. */
  assertSound(): void;
  /** What is left if the agent is killed now. */
  kill(): Left;
  /** Called after each write. */
  afterWrite: (() => void) | undefined;
}

/** @param left what another agent left */
export function createPoolModel(random: Random, world: PoolWorld, left?: Left): PoolModel {
  const { kernel, outer, pool } = world;
  const named = new Map<number, Held>(left?.named);
  const forgotten = new Map<number, Held>();
  /** Acquired, not named yet. */
  const acquired = new Set<number>();
  /** What is being written in place. */
  const writing = new Map<number, Entry[]>();
  let background: Promise<unknown> = Promise.resolve();
  let audits: Promise<unknown> = Promise.resolve();
  let underWay = 0;
  let violation: unknown;
  let seed = 1;
  makeSlow(kernel, random);

  const read = (slot: number, length: number) => readRecord(outer, slot)!.entries.slice(0, length);
  function assertHeld(slot: number, { id, entries }: Held): void {
    assert.equal(idIn(kernel, slot), id, `record ${slot} was unpublished`);
    assert.deepEqual(read(slot, entries.length), entries, `record ${slot} holds something else`);
  }
  /** Takes each word for what it is: the one before, or the one that was being written. */
  function readMixed(slot: number, held: Held, after: readonly Entry[]): void {
    const before = held.entries;
    held.entries = [...read(slot, before.length)];
    held.entries.forEach(({ threshold, endpoint }, i) => {
      const known = [before[i], after[i]].some((one) =>
        one.threshold === threshold && one.endpoint === endpoint
      );
      assert.ok(known, `record ${slot} holds a word that nobody wrote`);
    });
  }
  for (const [slot, after] of left?.writing ?? []) readMixed(slot, named.get(slot)!, after);

  kernel.onWrite = (map: FakeMap) => {
    if (violation) return;
    try {
      for (const [slot, held] of [...named, ...forgotten]) {
        if (map.name === "records") {
          assert.equal(idIn(kernel, slot), held.id, `record ${slot} was unpublished`);
        } else if (!writing.has(slot)) assert.notEqual(map.id, held.id, `record ${slot} was overwritten`);
      }
    } catch (error) {
      violation = error;
    }
    model.afterWrite?.();
  };

  function take(length: number, acquire: () => { slot: number; capacity: number }) {
    const { slot, capacity } = acquire();
    assert.ok(capacity >= length, `a place for ${length} has room for ${capacity}`);
    assert.ok(slot >= 1, "the placeholder's slot was handed out");
    const owner = [named, forgotten, acquired].some((those) => those.has(slot));
    assert.ok(!owner, `slot ${slot} is owned twice`);
    acquired.add(slot);
    return { slot, entries: entriesOf(length, seed++) };
  }
  function giveBack(slots: readonly number[]): void {
    pool.release(slots);
    for (const slot of slots) acquired.delete(slot);
  }
  /** @returns whether they are in the kernel and named */
  async function publish(places: readonly { slot: number; entries: Entry[] }[]): Promise<boolean> {
    const slots = places.map(({ slot }) => slot);
    if (pool.end > outer.info().maxEntries) {
      giveBack(slots);
      return false;
    }
    underWay++;
    try {
      await pool.publish(places);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      giveBack(slots);
      return false;
    } finally {
      underWay--;
    }
    for (const { slot, entries } of places) {
      acquired.delete(slot);
      named.set(slot, { id: idIn(kernel, slot)!, entries });
      assertHeld(slot, named.get(slot)!);
    }
    return true;
  }

  const model: PoolModel = {
    world,
    named,
    publish: (lengths) => publish(lengths.map((length) => take(length, () => pool.acquire(length)))),
    grow: async (slot, length) => {
      if (!await publish([take(length, () => pool.grow(slot, length))])) return;
      if (named.has(slot)) model.forget(slot);
    },
    write: (slot) => {
      const held = named.get(slot)!;
      const after = held.entries.map((entry) => random() < 0.4 ? entriesOf(1, seed++)[0] : entry);
      writing.set(slot, after);
      const writes = after.flatMap((entry, i) => entry === held.entries[i] ? [] : [[i, entry] as const]);
      try {
        pool.write([{ slot, writes }]);
        held.entries = after;
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        readMixed(slot, held, after);
      }
      writing.delete(slot);
    },
    forget: (slot) => {
      forgotten.set(slot, named.get(slot)!);
      named.delete(slot);
    },
    releaseForgotten: () => {
      pool.release([...forgotten.keys()]);
      forgotten.clear();
    },
    inBackground: (action) => {
      underWay++;
      background = background.then(() => action(pool)).catch((error) => {
        if (!(error instanceof KernelError)) violation ??= error;
      }).finally(() => underWay--);
    },
    audit: () => {
      underWay++;
      audits = audits.then(() => pool.audit()).then((found) =>
        assert.deepEqual(found, { repairs: [], lost: [] })
      )
        .catch((error) => {
          if (!(error instanceof KernelError)) violation ??= error;
        }).finally(() => underWay--);
    },
    settle: async () => {
      await background;
      await audits;
    },
    assertSound: () => {
      if (violation) throw violation;
      for (const [slot, held] of [...named, ...forgotten]) {
        assertHeld(slot, held);
        assert.ok(pool.isUsed(slot), `record ${slot} is not in use`);
      }
      assert.ok(pool.endWithSpares() >= pool.end);
      if (underWay === 0) assertAgrees(world, new Set([...named.keys(), ...forgotten.keys()]));
    },
    kill: () => ({
      kernel: kernel.clone(),
      named: new Map([...named].map(([slot, { id, entries }]) => [slot, { id, entries: [...entries] }])),
      writing: new Map(writing),
    }),
    afterWrite: undefined,
  };
  return model;
}

/** The model of a new agent, on what a killed one left. */
export function restoreModel(random: Random, left: Left): PoolModel {
  return createPoolModel(random, restorePool(left.kernel, left.named.keys()), left);
}
