/** Reading and writing kernel structs in buffers. Everything is little-endian here (x86-64, arm64) unless a field says network order. */

/** How a value lies in memory. */
export interface Codec<T> {
  /** In bytes. */
  readonly size: number;
  read(view: DataView, at: number): T;
  write(view: DataView, at: number, value: T): void;
}

/** A copy of `size` bytes. */
export function readBytes(view: DataView, at: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, size).slice();
}

/** Copies exactly `size` bytes into place. */
export function writeBytes(view: DataView, at: number, size: number, bytes: Uint8Array): void {
  if (bytes.length !== size) throw new RangeError(`expected ${size} bytes, got ${bytes.length}`);
  const start = view.byteOffset + at;
  new Uint8Array(view.buffer, start, size).set(bytes);
}

/** `count` numbers of 64 bits. */
export function readWords(view: DataView, at: number, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => view.getBigUint64(at + 8 * i, true));
}

/** Writes exactly `count` numbers of 64 bits. */
export function writeWords(view: DataView, at: number, count: number, words: readonly bigint[]): void {
  if (words.length !== count) throw new RangeError(`expected ${count} words, got ${words.length}`);
  words.forEach((word, i) => view.setBigUint64(at + 8 * i, word, true));
}

export const u32: Codec<number> = {
  size: 4,
  read: (view, at) => view.getUint32(at, true),
  write: (view, at, value) => view.setUint32(at, value, true),
};

export const u64: Codec<bigint> = {
  size: 8,
  read: (view, at) => view.getBigUint64(at, true),
  write: (view, at, value) => view.setBigUint64(at, value, true),
};
