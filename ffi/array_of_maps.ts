/** A map of maps: its slots hold other maps. */

import type { Codec } from "./codec.ts";
import { check } from "./kernel_error.ts";
import { type MapInfo, mapInfo, mapMemory, type MapSpec } from "./map.ts";
import { closeFd, cstring, keepUntilHere, type Shim } from "./shim.ts";
import { openWordWriter, type WordWrite, type WordWriter } from "./word_writer.ts";

/** Slots in one batched system call. */
const batchSize = 4096;

/** How many waits for grace periods overlap while slots are read. */
const readThreads = 64;

const ENOENT = 2;

/** Which file descriptors are which: `slot → inner map`. */
export interface SlotAssignment {
  readonly slot: number;
  readonly fd: number;
}

/** BPF_MAP_TYPE_ARRAY_OF_MAPS: reading a slot gives the inner map's id, or nothing where the slot is empty. */
export class ArrayOfMaps implements Disposable {
  #writer: WordWriter | undefined;

  constructor(readonly shim: Shim, readonly fd: number, readonly name: string) {}

  [Symbol.dispose](): void {
    this.#writer?.[Symbol.dispose]();
    closeFd(this.shim, this.fd);
  }

  /**
   * Sets values in the arrays that slots hold, word by word as `ArrayMap` does.
   *
   * @param codec of what all of them hold: of one size, that of the first call
   * @throws {KernelError} ENOENT where a slot holds no map, or a map ends before the position
   */
  writeInner<V>(codec: Codec<V>, writes: readonly WordWrite<V>[]): void {
    if (writes.length === 0) return;
    this.#writer ??= openWordWriter(this.shim, { name: this.name, fd: this.fd, isOuter: true }, codec.size);
    this.#writer.write(codec, writes);
  }

  /** The id of the map in a slot, or `undefined`. */
  lookup(slot: number): number | undefined {
    const id = new Uint32Array(1);
    this.shim.count(`${this.name}.lookup`);
    const result = this.shim.call.weft_map_lookup(this.fd, new Uint32Array([slot]), id);
    if (result === -ENOENT) return undefined;
    check(result, "look up in", `map ${this.name}`);
    return id[0];
  }

  /**
   * Slots that hold a map, with its id. Before 6.8 reading a slot waits for an RCU grace period: threads overlap the waits, so
   * that 8,192 slots take a second or two; after, some milliseconds.
   */
  entries(): [slot: number, id: number][] {
    const { maxEntries } = mapInfo(this.shim, this.fd);
    const ids = new Uint32Array(maxEntries);
    this.shim.count(`${this.name}.read_slots`);
    const result = this.shim.call.weft_map_read_slots(this.fd, ids, maxEntries, readThreads);
    check(result, "read", `map ${this.name}`);
    return [...ids.entries()].filter(([, id]) => id !== 0);
  }

  /**
   * The ids of the maps in some slots, read in batches (5.19); before 6.8 each slot waits for a grace period.
   *
   * @param slots ascending; all of them hold a map
   */
  lookupMany(slots: readonly number[]): number[] {
    const found = new Map<number, number>();
    const last = slots.at(-1) ?? -1;
    for (let next = slots[0]; next <= last;) {
      const capacity = Math.min(batchSize, last - next + 1);
      const keys = new Uint32Array(capacity);
      const ids = new Uint32Array(capacity);
      const count = new Uint32Array([capacity]);
      // The batch goes on behind the token; without one it begins at slot 0.
      const token = next === 0 ? null : new Uint8Array(new Uint32Array([next - 1, 0]).buffer);
      this.shim.count(`${this.name}.lookup_batch`);
      const result = this.shim.call.weft_map_lookup_batch(
        this.fd,
        token,
        new Uint8Array(8),
        keys,
        ids,
        count,
      );
      check(result, "read in batch", `map ${this.name}`);
      for (let i = 0; i < count[0]; i++) found.set(keys[i], ids[i]);
      if (result === 1 || count[0] === 0) break;
      next = keys[count[0] - 1] + 1;
    }
    return slots.map((slot) => found.get(slot) ?? 0);
  }

  /** `entries` on a thread of its own. */
  async read(): Promise<Map<number, number>> {
    const { maxEntries } = mapInfo(this.shim, this.fd);
    const ids = new Uint32Array(maxEntries);
    this.shim.count(`${this.name}.read_slots`);
    const result = await this.shim.call.weft_map_read_slots_aside(this.fd, ids, maxEntries, readThreads);
    check(result, "read", `map ${this.name}`);
    return new Map(ids.entries().filter(([, id]) => id !== 0));
  }

  /**
   * Creates empty maps and puts them into slots, on a thread of its own. Waits as `publish` does.
   *
   * @param shape what they have in common; key size 4 and BPF_MAP_TYPE_ARRAY are given
   * @param places the slots, with the entries that each map is to have room for
   * @returns the new maps' ids
   * @throws {KernelError} some slots may have got theirs
   */
  async publishNew(
    shape: Pick<MapSpec, "name" | "valueSize" | "flags">,
    places: readonly { readonly slot: number; readonly capacity: number }[],
    threads: number,
  ): Promise<Uint32Array> {
    const slots = Uint32Array.from(places, (place) => place.slot);
    const capacities = Uint32Array.from(places, (place) => place.capacity);
    const ids = new Uint32Array(places.length);
    const name = cstring(shape.name.slice(0, 15));
    for (const _ of places) {
      this.shim.count(`${shape.name}.create`);
      this.shim.count("map_info");
    }
    for (let i = 0; i < (threads === 0 ? 1 : places.length); i++) this.shim.count(`${this.name}.publish`);
    const { valueSize, flags = 0 } = shape;
    const result = await this.shim.call.weft_map_publish_new(
      this.fd,
      name,
      valueSize,
      flags,
      slots,
      capacities,
      ids,
      places.length,
      threads,
    );
    keepUntilHere(name, slots, capacities);
    check(result, `publish ${places.length} new maps in`, `map ${this.name}`);
    return ids;
  }

  /**
   * Puts maps into slots. Waits for one RCU grace period where the kernel batches them (6.8), for some where `threads`
   * overlap them.
   *
   * @param threads 0: one batch (5.19)
   */
  async publish(assignments: readonly SlotAssignment[], threads: number): Promise<void> {
    if (assignments.length === 0) return;
    const slots = Uint32Array.from(assignments, (one) => one.slot);
    const fds = Int32Array.from(assignments, (one) => one.fd);
    const calls = threads === 0 ? 1 : slots.length;
    for (let i = 0; i < calls; i++) this.shim.count(`${this.name}.publish`);
    const result = await this.shim.call.weft_map_publish(this.fd, slots, fds, slots.length, threads);
    keepUntilHere(slots, fds);
    check(result, "publish in", `map ${this.name}`);
  }

  /** What the kernel knows of the map. */
  info(): MapInfo {
    return mapInfo(this.shim, this.fd);
  }

  /** Charged kernel memory of the outer map alone, in bytes. */
  memory(): number {
    return mapMemory(this.shim, this.fd);
  }
}
