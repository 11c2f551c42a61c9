/**
 * A kernel with nothing but maps, behind the shim's calls: what stands above the shim runs on it as it is, without root, and a
 * test sees every 64-bit word at the moment it is written.
 */

import type { Shim } from "../../ffi/mod.ts";

const ENOENT = 2, E2BIG = 7, EBADF = 9, ENOMEM = 12, EINVAL = 22, ENOTSUPP = 524;
const mmapable = 1024;
const hash = 1, array = 2, lpmTrie = 11, arrayOfMaps = 12;
const isHash = (type: number) => type === hash || type === lpmTrie;

/** What a map takes besides its values, in bytes. */
const mapHeader = 312;

/** A kernel map. Keys are byte strings (one character a byte), so that they can be looked up. */
export interface FakeMap {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** Elements of a hash; of an array those that were ever written. A value is never changed, but replaced by another one. */
  readonly values: Map<string, Uint8Array>;
  /** Another one after each write. */
  version: number;
}

export interface FakeKernel {
  readonly shim: Shim;
  readonly maps: ReadonlyMap<number, FakeMap>;
  /** Path → map id. */
  readonly pins: Map<string, number>;
  /** The latest map with this name. */
  map(name: string): FakeMap;
  /** Called after each word that was written, and after each element that was put, published or deleted. */
  onWrite: ((map: FakeMap) => void) | undefined;
  /** Whether programs can reach a map: it is pinned, or in a slot of one that is. */
  isReachable(map: FakeMap): boolean;
  /** Asked before each element that is to be written, or deleted (no value): `true` makes the call fail there. */
  failAt: ((map: FakeMap, value: Uint8Array | undefined) => boolean) | undefined;
  /** What calls fail with that `failAt` makes fail: ENOMEM unless told otherwise. */
  errno: number;
  /** Called when a grace period begins; what it returns, when it ends. */
  onGracePeriod: (() => () => void) | undefined;
  /** While true, grace periods do not end. */
  holdGracePeriods: boolean;
  /** Lets all waiting grace periods end, and what waits for them run. */
  endGracePeriods(): Promise<void>;
  /** How many file descriptors are open, but for the programs that write words: handles load them when they first write. */
  readonly openFiles: number;
  /** Another kernel with the same pins, all that they hold, and no open file: what is left when a process is killed. */
  clone(): FakeKernel;
}

type Buffer = AllowSharedBufferSource | null;

/** The bytes of a buffer as the shim gets it. */
function bytesOf(buffer: Buffer): Uint8Array {
  if (buffer === null) throw new Error("the fake kernel got no buffer");
  return ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    : new Uint8Array(buffer);
}

export function byteString(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

export function u32Key(index: number): string {
  return String.fromCharCode(index & 0xff, index >> 8 & 0xff, index >> 16 & 0xff, index >>> 24);
}

/** The index that `u32Key` made a key of. */
export function numberOf(key: string): number {
  return (key.charCodeAt(0) | key.charCodeAt(1) << 8 | key.charCodeAt(2) << 16 | key.charCodeAt(3) << 24) >>>
    0;
}

function readU32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

function text(buffer: Buffer): string {
  const bytes = bytesOf(buffer);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/** @param random decides in which order the words of a longer value are written: the kernel promises none */
export function createFakeKernel(random: () => number = () => 0): FakeKernel {
  return build(random, new Map(), new Map());
}

function build(random: () => number, maps: Map<number, FakeMap>, pins: Map<string, number>): FakeKernel {
  const files = new Map<number, number>();
  /** Of the files, those that are programs which write words: how many words a value has. */
  const writers = new Map<number, number>();
  const counts = new Map<string, number>();
  let nextFd = 3;
  let nextId = Math.max(0, ...maps.keys()) + 1;
  let waiting: (() => void)[] = [];

  function open(id: number): number {
    files.set(nextFd, id);
    return nextFd++;
  }

  function mapOf(fd: number): FakeMap | undefined {
    return maps.get(files.get(fd) ?? -1);
  }

  function read(map: FakeMap, key: string): Uint8Array | undefined {
    const value = map.values.get(key);
    if (value || map.type !== array) return value;
    return numberOf(key) < map.maxEntries ? new Uint8Array(map.valueSize) : undefined;
  }

  function set(map: FakeMap, key: string, value: Uint8Array): void {
    map.values.set(key, value);
    map.version++;
    kernel.onWrite?.(map);
  }

  /** Word by word where readers could see the value, all at once where it is a new one. */
  function write(map: FakeMap, key: string, value: Uint8Array): number {
    if (kernel.failAt?.(map, value)) return -kernel.errno;
    const old = read(map, key);
    if (map.type === array && !old) return -E2BIG;
    if (isHash(map.type) && !old && map.values.size >= map.maxEntries) return -E2BIG;
    if (map.type === array && old) {
      const words = Array.from({ length: Math.ceil(value.length / 8) }, (_, i) => i * 8);
      while (words.length > 0) {
        const [at] = words.splice(Math.floor(random() * words.length), 1);
        const mixed = read(map, key)!.slice();
        mixed.set(value.subarray(at, at + 8), at);
        set(map, key, mixed);
      }
    } else {
      set(map, key, value.slice());
    }
    return 0;
  }

  function publish(map: FakeMap | undefined, slots: Uint32Array, fds: Int32Array): number {
    if (map?.type !== arrayOfMaps) return -EBADF;
    for (const [i, slot] of slots.entries()) {
      const inner = mapOf(fds[i]);
      if (!inner) return -EBADF;
      if (slot >= map.maxEntries) return -E2BIG;
      const value = new Uint8Array(Uint32Array.of(inner.id).buffer);
      if (kernel.failAt?.(map, value)) return -kernel.errno;
      set(map, u32Key(slot), value);
    }
    return 0;
  }

  function remove(map: FakeMap, key: string): number {
    if (!isHash(map.type)) return -EINVAL;
    if (!map.values.has(key)) return -ENOENT;
    if (kernel.failAt?.(map, undefined)) return -kernel.errno;
    map.values.delete(key);
    map.version++;
    kernel.onWrite?.(map);
    return 0;
  }

  /** Applies a call to each element of a batch; the count becomes the number done. */
  function each(count: Buffer, apply: (i: number) => number): number {
    const counter = count as Uint32Array;
    for (let i = 0; i < counter[0]; i++) {
      const error = apply(i);
      if (error) {
        counter[0] = i;
        return error;
      }
    }
    return 0;
  }

  function create(
    type: number,
    name: Buffer,
    keySize: number,
    valueSize: number,
    maxEntries: number,
    flags: number,
  ): number {
    const id = nextId++;
    const sizes = { keySize, valueSize, maxEntries, flags };
    maps.set(id, { id, name: text(name), type, ...sizes, values: new Map(), version: 0 });
    return open(id);
  }

  function readSlots(fd: number, ids: Buffer, count: number): number {
    const map = mapOf(fd);
    if (map?.type !== arrayOfMaps) return -EBADF;
    for (let slot = 0; slot < count; slot++) {
      const id = map.values.get(u32Key(slot));
      (ids as Uint32Array)[slot] = id ? readU32(id) : 0;
    }
    return 0;
  }

  const slice = (buffer: Buffer, size: number, i: number) =>
    bytesOf(buffer).subarray(i * size, (i + 1) * size);

  const call: Partial<Shim["call"]> = {
    weft_map_create: create,
    weft_map_create_aside: (...args) => Promise.resolve(call.weft_map_create!(...args)),
    weft_map_info: (fd, out, name) => {
      const map = mapOf(fd);
      if (!map) return -EBADF;
      (out as Uint32Array).set([map.id, map.type, map.keySize, map.valueSize, map.maxEntries, map.flags]);
      bytesOf(name).set(new TextEncoder().encode(map.name));
      return 0;
    },
    weft_map_by_id: (id) => maps.has(id) ? open(id) : -ENOENT,
    weft_close: (fd) => files.delete(fd) ? 0 : -EBADF,
    weft_open_pin: (path) => {
      const id = pins.get(text(path));
      return id === undefined ? -ENOENT : open(id);
    },
    weft_map_lookup: (fd, key, value) => {
      const map = mapOf(fd);
      const found = map && read(map, byteString(slice(key, map.keySize, 0)));
      if (!found) return map ? -ENOENT : -EBADF;
      bytesOf(value).set(found);
      return 0;
    },
    weft_map_update: (fd, key, value) => {
      const map = mapOf(fd);
      if (!map) return -EBADF;
      const one = slice(value, map.valueSize, 0);
      if (map.type === arrayOfMaps) {
        return publish(map, Uint32Array.of(readU32(slice(key, 4, 0))), Int32Array.of(readU32(one)));
      }
      return write(map, byteString(slice(key, map.keySize, 0)), one);
    },
    weft_map_delete: (fd, key) => {
      const map = mapOf(fd);
      return map ? remove(map, byteString(slice(key, map.keySize, 0))) : -EBADF;
    },
    weft_map_update_batch: (fd, keys, values, count) => {
      const map = mapOf(fd);
      if (!map) return -EBADF;
      return each(
        count,
        (i) => write(map, byteString(slice(keys, map.keySize, i)), slice(values, map.valueSize, i)),
      );
    },
    weft_word_writer: (fd, words, isOuter) => {
      const map = mapOf(fd);
      if (!map) return -EBADF;
      if (map.type !== (isOuter ? arrayOfMaps : array)) return -EINVAL;
      const writer = open(map.id);
      writers.set(writer, words);
      return writer;
    },
    weft_write_words: (fd, words, writes, count) => {
      const map = mapOf(fd);
      if (!map || writers.get(fd) !== words) return -EBADF;
      return each(count, (i) => {
        const bytes = slice(writes, 8 + 8 * words, i);
        const [place, position] = [readU32(bytes), readU32(bytes.subarray(4))];
        if (map.type === array) return write(map, u32Key(place), bytes.subarray(8));
        const inner = map.values.get(u32Key(place));
        return inner ? write(maps.get(readU32(inner))!, u32Key(position), bytes.subarray(8)) : -ENOENT;
      });
    },
    weft_map_delete_batch: (fd, keys, count) => {
      const map = mapOf(fd);
      return map ? each(count, (i) => remove(map, byteString(slice(keys, map.keySize, i)))) : -EBADF;
    },
    weft_map_lookup_batch: (fd, from, to, keys, values, count) => {
      const map = mapOf(fd);
      if (!map) return -EBADF;
      const start = from === null ? 0 : readU32(bytesOf(from)) + (map.type === arrayOfMaps ? 1 : 0);
      const all = map.type === array || map.type === arrayOfMaps
        ? Array.from({ length: map.maxEntries }, (_, i) => u32Key(i))
        : [...map.values.keys()];
      const chunk = all.slice(start, start + (count as Uint32Array)[0]);
      chunk.forEach((key, i) => {
        const bytes = slice(keys, map.keySize, i);
        for (let at = 0; at < bytes.length; at++) bytes[at] = key.charCodeAt(at);
        const value = map.values.get(key);
        // What an array was never given is zero.
        if (value) slice(values, map.valueSize, i).set(value);
        else slice(values, map.valueSize, i).fill(0);
      });
      (count as Uint32Array)[0] = chunk.length;
      new DataView(bytesOf(to).buffer).setUint32(0, start + chunk.length, true);
      return start + chunk.length >= all.length ? 1 : 0;
    },
    weft_map_count_words: (fd, valueSize, maxEntries, at, words) => {
      const map = mapOf(fd);
      if (!map) return BigInt(-EBADF);
      if (!(map.flags & mmapable)) return BigInt(-ENOTSUPP);
      if (map.valueSize !== valueSize || map.maxEntries !== maxEntries) return BigInt(-EINVAL);
      const wordsOf = (value: Uint8Array) =>
        Array.from({ length: words }, (_, i) => value.subarray(at + 8 * i, at + 8 * i + 8));
      const all = map.values.values().flatMap(wordsOf);
      return BigInt(all.filter((word) => word.some((byte) => byte !== 0)).toArray().length);
    },
    weft_map_publish: (fd, slots, fds) =>
      Promise.resolve(publish(mapOf(fd), slots as Uint32Array, fds as Int32Array)),
    weft_map_publish_new: (fd, name, valueSize, flags, slots, capacities, ids, count) => {
      const fds = Array.from({ length: count }, (_, i) => {
        const inner = create(array, name, 4, valueSize, (capacities as Uint32Array)[i], flags);
        (ids as Uint32Array)[i] = files.get(inner)!;
        return inner;
      });
      const result = publish(mapOf(fd), slots as Uint32Array, Int32Array.from(fds));
      for (const inner of fds) files.delete(inner);
      return Promise.resolve(result);
    },
    weft_map_read_slots: readSlots,
    weft_map_read_slots_aside: (fd, ids, count) => Promise.resolve(readSlots(fd, ids, count)),
    weft_map_memory: (fd, bytes) => {
      const map = mapOf(fd);
      if (!map) return -EBADF;
      (bytes as BigUint64Array)[0] = BigInt(mapHeader + map.valueSize * map.maxEntries);
      return 0;
    },
    weft_grace_period: async () => {
      const end = kernel.onGracePeriod?.();
      if (kernel.holdGracePeriods) await new Promise<void>((resolve) => waiting.push(resolve));
      end?.();
      return 0;
    },
  };

  let known = { version: "", ids: new Set<number>() };
  function reachable(): ReadonlySet<number> {
    const pinned = [...pins.values()].map((id) => maps.get(id)!);
    const outer = pinned.filter((map) => map.type === arrayOfMaps);
    const version = `${pins.size} ${outer.map((map) => map.version).join(" ")}`;
    if (known.version !== version) {
      const inner = outer.flatMap((map) => [...map.values.values()].map(readU32));
      known = { version, ids: new Set([...pins.values(), ...inner]) };
    }
    return known.ids;
  }

  const kernel: FakeKernel = {
    shim: {
      call: call as Shim["call"],
      count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
      counts,
      [Symbol.dispose]: () => {},
    },
    maps,
    pins,
    map: (name) => {
      const found = [...maps.values()].findLast((map) => map.name === name);
      if (!found) throw new Error(`there is no map ${name}`);
      return found;
    },
    onWrite: undefined,
    failAt: undefined,
    errno: ENOMEM,
    onGracePeriod: undefined,
    holdGracePeriods: false,
    isReachable: (map) => reachable().has(map.id),
    endGracePeriods: async () => {
      const ended = waiting;
      waiting = [];
      for (const resolve of ended) resolve();
      // Whatever waits takes a few turns of its own.
      await new Promise((resolve) => setTimeout(resolve));
    },
    get openFiles() {
      return [...files.keys()].filter((fd) => !writers.has(fd)).length;
    },
    clone: () => {
      const copies = [...reachable()].map((id) => {
        const map = maps.get(id)!;
        return [id, { ...map, values: new Map(map.values) }] as const;
      });
      return build(random, new Map(copies), new Map(pins));
    },
  };
  return kernel;
}
