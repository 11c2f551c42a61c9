/** Typed handles on kernel maps; that of a map of maps is in array_of_maps.ts. */

import { type Codec, u32 } from "./codec.ts";
import { check } from "./kernel_error.ts";
import { closeFd, cstring, keepUntilHere, type Shim } from "./shim.ts";
import { openWordWriter, type WordWriter } from "./word_writer.ts";

/** Elements in one batched system call: enough that the calls do not count, little enough to copy in one go. */
const batchSize = 4096;

const ENOENT = 2;
const ENOSPC = 28;

/** BPF_F_MMAPABLE (5.5): an array whose values user space may look at where they lie. */
export const mmapable = 1024;

/** What the kernel says of a map. */
export interface MapInfo {
  readonly id: number;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly name: string;
}

/** Reads what the kernel knows of an open map. */
export function mapInfo(shim: Shim, fd: number): MapInfo {
  const out = new Uint32Array(6);
  const name = new Uint8Array(16);
  shim.count("map_info");
  check(shim.call.weft_map_info(fd, out, name), "read information on", `map with file descriptor ${fd}`);
  const [id, type, keySize, valueSize, maxEntries, flags] = out;
  const end = name.indexOf(0);
  return {
    id,
    type,
    keySize,
    valueSize,
    maxEntries,
    flags,
    name: new TextDecoder().decode(name.subarray(0, end)),
  };
}

/** The kernel memory that a map is charged with, in bytes (`memlock` in its fdinfo). */
export function mapMemory(shim: Shim, fd: number): number {
  const bytes = new BigUint64Array(1);
  check(shim.call.weft_map_memory(fd, bytes), "read the memory of", `map with file descriptor ${fd}`);
  return Number(bytes[0]);
}

/** What a map holds is described by codecs; `name` is for messages. */
interface Shape<K, V> {
  readonly name: string;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
}

/** Elements that were read together. */
interface Batch {
  readonly count: number;
  readonly keys: DataView<ArrayBuffer>;
  readonly values: DataView<ArrayBuffer>;
}

/** A map with single and batched operations. Closing it closes the file descriptor, not the map. */
export class KernelMap<K, V> implements Disposable {
  readonly name: string;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
  readonly #keyView: DataView<ArrayBuffer>;
  readonly #valueView: DataView<ArrayBuffer>;
  #maxEntries: number | undefined;

  constructor(readonly shim: Shim, readonly fd: number, shape: Shape<K, V>) {
    this.name = shape.name;
    this.key = shape.key;
    this.value = shape.value;
    this.#keyView = new DataView(new ArrayBuffer(shape.key.size));
    this.#valueView = new DataView(new ArrayBuffer(shape.value.size));
  }

  [Symbol.dispose](): void {
    closeFd(this.shim, this.fd);
  }

  /** The value of a key, or `undefined` where there is none. */
  lookup(key: K): V | undefined {
    this.key.write(this.#keyView, 0, key);
    const result = this.#count("lookup").weft_map_lookup(
      this.fd,
      this.#keyView.buffer,
      this.#valueView.buffer,
    );
    if (result === -ENOENT) return undefined;
    this.#check(result, "look up in");
    return this.value.read(this.#valueView, 0);
  }

  /** Sets the value of a key. @throws {KernelError} E2BIG where the map is full */
  update(key: K, value: V): void {
    this.key.write(this.#keyView, 0, key);
    this.value.write(this.#valueView, 0, value);
    const call = this.#count("update");
    this.#check(call.weft_map_update(this.fd, this.#keyView.buffer, this.#valueView.buffer, 0n), "update");
  }

  /** Removes a key; `false` where it was not there. */
  delete(key: K): boolean {
    this.key.write(this.#keyView, 0, key);
    const result = this.#count("delete").weft_map_delete(this.fd, this.#keyView.buffer);
    if (result === -ENOENT) return false;
    this.#check(result, "delete from");
    return true;
  }

  /**
   * Sets many values, some thousands a system call. On an error those before it are set.
   *
   * @param entries where there are many, better made as they are asked for than all at once: nothing of them is kept
   * @param most how many there are, or more
   * @throws {KernelError} E2BIG where the map is full
   */
  updateMany(
    entries: Iterable<readonly [K, V]>,
    most: number = Array.isArray(entries) ? entries.length : batchSize,
  ): void {
    if (Array.isArray(entries) && entries.length === 1) {
      const [[key, value]]: (readonly [K, V])[] = entries;
      return this.update(key, value);
    }
    for (const _ of this.updateInSteps(entries, most));
  }

  /** As `updateMany`; yields after each system call but the last. */
  *updateInSteps(entries: Iterable<readonly [K, V]>, most: number): Generator<undefined, void, void> {
    const { key: keyCodec, value: valueCodec } = this;
    let keys: DataView<ArrayBuffer> | undefined;
    let values: DataView<ArrayBuffer> | undefined;
    let length = 0;
    const capacity = Math.min(most, batchSize);
    const write = () => {
      this.#putBatch(keys!, values!, length);
      length = 0;
    };
    for (const [key, value] of entries) {
      if (length === capacity) {
        write();
        yield;
      }
      keys ??= new DataView(new ArrayBuffer(capacity * keyCodec.size));
      values ??= new DataView(new ArrayBuffer(capacity * valueCodec.size));
      keyCodec.write(keys, length * keyCodec.size, key);
      valueCodec.write(values, length * valueCodec.size, value);
      length++;
    }
    if (length > 0) write();
  }

  /** Removes many keys; those that are not there are passed over. */
  deleteMany(keys: readonly K[]): void {
    let start = 0;
    while (start < keys.length) {
      const chunk = keys.slice(start, start + batchSize);
      const view = new DataView(new ArrayBuffer(chunk.length * this.key.size));
      chunk.forEach((key, i) => this.key.write(view, i * this.key.size, key));
      const count = new Uint32Array([chunk.length]);
      const result = this.#count("delete_batch").weft_map_delete_batch(this.fd, view.buffer, count);
      if (result === 0) start += chunk.length;
      // The batch stops at the first key that is missing.
      else if (result === -ENOENT) start += count[0] + 1;
      else this.#check(result, "delete in batch from");
    }
  }

  /** All elements, read in batches. What changes meanwhile may be seen or not. */
  *entries(): Generator<[K, V]> {
    for (const { count, keys, values } of this.batches()) {
      for (let i = 0; i < count; i++) {
        yield [this.key.read(keys, i * this.key.size), this.value.read(values, i * this.value.size)];
      }
    }
  }

  /**
   * Puts all elements into another map of the same shape, some thousands a system call, and yields after each: what is large is not
   * copied in one go. What changes meanwhile may be copied or not.
   *
   * @throws {KernelError} some may be copied
   */
  *copyInto(to: KernelMap<K, V>): Generator<undefined, void, void> {
    for (const { count, keys, values } of this.batches()) {
      if (count > 0) to.#putBatch(keys, values, count);
      yield;
    }
  }

  /** How many elements there are; nothing is made of them. An array has all of its own. */
  countEntries(): number {
    let total = 0;
    for (const { count } of this.batches()) total += count;
    return total;
  }

  /** All elements as they lie in memory, some thousands at a time. The buffers are used again for the next ones. */
  protected *batches(): Generator<Batch, void> {
    let capacity = batchSize;
    let keys = new DataView(new ArrayBuffer(capacity * this.key.size));
    let values = new DataView(new ArrayBuffer(capacity * this.value.size));
    let token: Uint8Array<ArrayBuffer> | null = null;
    for (;;) {
      // Hash maps use 4 bytes for their place, arrays a key.
      const next: Uint8Array<ArrayBuffer> = new Uint8Array(Math.max(8, this.key.size));
      const count = new Uint32Array([capacity]);
      const call = this.#count("lookup_batch");
      const result = call.weft_map_lookup_batch(this.fd, token, next, keys.buffer, values.buffer, count);
      if (result === -ENOSPC) {
        capacity *= 2; // one bucket of the hash has more
        keys = new DataView(new ArrayBuffer(capacity * this.key.size));
        values = new DataView(new ArrayBuffer(capacity * this.value.size));
        continue;
      }
      this.#check(result, "read");
      yield { count: count[0], keys, values };
      if (result === 1) return;
      token = next;
    }
  }

  /** Elements that it has room for. */
  get maxEntries(): number {
    return this.#maxEntries ??= this.info().maxEntries;
  }

  /** What the kernel knows of the map. */
  info(): MapInfo {
    return mapInfo(this.shim, this.fd);
  }

  /** Charged kernel memory in bytes. */
  memory(): number {
    return mapMemory(this.shim, this.fd);
  }

  #putBatch(keys: DataView<ArrayBuffer>, values: DataView<ArrayBuffer>, length: number): void {
    const count = new Uint32Array([length]);
    const call = this.#count("update_batch");
    this.#check(call.weft_map_update_batch(this.fd, keys.buffer, values.buffer, count), "update in batch");
  }

  #count(operation: string): Shim["call"] {
    this.shim.count(`${this.name}.${operation}`);
    return this.shim.call;
  }

  #check(result: number, operation: string): void {
    check(result, operation, `map ${this.name}`);
  }
}

/** BPF_MAP_TYPE_HASH. */
export class HashMap<K, V> extends KernelMap<K, V> {}

/** BPF_MAP_TYPE_ARRAY: every index below `maxEntries` has a value; nothing can be deleted. */
export class ArrayMap<V> extends KernelMap<number, V> {
  #writer: WordWriter | undefined;

  constructor(shim: Shim, fd: number, shape: { readonly name: string; readonly value: Codec<V> }) {
    super(shim, fd, { ...shape, key: u32 });
  }

  override [Symbol.dispose](): void {
    this.#writer?.[Symbol.dispose]();
    super[Symbol.dispose]();
  }

  /**
   * Sets values under readers: each 64-bit word at once, so that who reads it meanwhile sees the old one or the new one. `updateMany`
   * takes fewer calls, and promises less.
   *
   * @throws {KernelError} where the kernel has no programs of type syscall (5.14)
   * @throws {RangeError} for values that are not 1 to 16 words
   */
  storeMany(entries: readonly (readonly [index: number, value: V])[]): void {
    if (entries.length === 0) return;
    this.#writer ??= openWordWriter(
      this.shim,
      { name: this.name, fd: this.fd, isOuter: false },
      this.value.size,
    );
    this.#writer.write(this.value, entries.map(([place, value]) => ({ place, value })));
  }

  /**
   * How many of the 64-bit words in a part of each value are not 0, over all values. Of an array that is `mmapable` in a twentieth of the
   * time: the kernel copies no value.
   *
   * @param at in bytes, a multiple of 8
   */
  countWords(at: number, words: number): number {
    const { flags, maxEntries } = this.info();
    if (flags & mmapable) {
      this.shim.count(`${this.name}.count_words`);
      const count = this.shim.call.weft_map_count_words(this.fd, this.value.size, maxEntries, at, words);
      return check(Number(count), "count in", `map ${this.name}`);
    }
    const perValue = this.value.size / 8;
    let total = 0;
    for (const { count, values } of this.batches()) {
      const all = new BigUint64Array(values.buffer);
      for (let i = 0; i < count; i++) {
        const start = i * perValue + at / 8;
        for (let word = start; word < start + words; word++) if (all[word] !== 0n) total++;
      }
    }
    return total;
  }
}

/** BPF_MAP_TYPE_PERCPU_ARRAY of 64-bit counters. */
export class CounterMap implements Disposable {
  readonly #values: BigUint64Array<ArrayBuffer>;

  /** @param possibleCpus how many values the kernel keeps for each index */
  constructor(readonly shim: Shim, readonly fd: number, readonly name: string, possibleCpus: number) {
    this.#values = new BigUint64Array(possibleCpus);
  }

  [Symbol.dispose](): void {
    closeFd(this.shim, this.fd);
  }

  /** The sum over all CPUs. */
  sum(index: number): number {
    const key = new Uint32Array([index]);
    this.shim.count(`${this.name}.lookup`);
    check(this.shim.call.weft_map_lookup(this.fd, key, this.#values), "look up in", `map ${this.name}`);
    return Number(this.#values.reduce((sum, value) => sum + value, 0n));
  }
}

/** What to create: kernel map type, sizes in bytes, flags. */
export interface MapSpec {
  readonly type: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  /** For maps of maps: a map whose shape all inner ones have. */
  readonly innerFd?: number;
}

/** Creates a map; the file descriptor is the caller's. */
export function createMap(shim: Shim, spec: MapSpec): number {
  shim.count(`${spec.name}.create`);
  return checkCreated(shim.call.weft_map_create(...shapeOf(spec)), spec);
}

/** The same on a thread of its own: the kernel takes some tens of milliseconds for a large one. */
export async function createMapAside(shim: Shim, spec: MapSpec): Promise<number> {
  shim.count(`${spec.name}.create`);
  const shape = shapeOf(spec);
  const result = await shim.call.weft_map_create_aside(...shape);
  keepUntilHere(shape[1]);
  return checkCreated(result, spec);
}

function shapeOf({ type, name, keySize, valueSize, maxEntries, flags = 0, innerFd = -1 }: MapSpec) {
  return [type, cstring(name.slice(0, 15)), keySize, valueSize, maxEntries, flags, innerFd] as const;
}

function checkCreated(result: number, { name, maxEntries }: MapSpec): number {
  return check(result, "create", `map ${name} with ${maxEntries} entries`);
}

/** Opens a map by its id; `undefined` where it is gone. */
export function openMapById(shim: Shim, id: number): number | undefined {
  shim.count("map_by_id");
  const fd = shim.call.weft_map_by_id(id);
  if (fd === -ENOENT) return undefined;
  return check(fd, "open", `map with id ${id}`);
}
