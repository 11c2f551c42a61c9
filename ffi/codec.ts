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

/**
 * Copies exactly `size` bytes into place.
 *
 * @param field for the error's message
 * @throws {RangeError} for more bytes, or fewer
 */
export function writeBytes(
  view: DataView,
  at: number,
  size: number,
  bytes: Uint8Array,
  field: string,
): void {
  if (bytes.length !== size) throw new RangeError(`${field}: expected ${size} bytes, got ${bytes.length}`);
  const start = view.byteOffset + at;
  new Uint8Array(view.buffer, start, size).set(bytes);
}

/** Makes `size` bytes 0, whatever was there: buffers are used again. */
export function writeZeros(view: DataView, at: number, size: number): void {
  new Uint8Array(view.buffer, view.byteOffset + at, size).fill(0);
}

/** `count` numbers of 64 bits. */
export function readWords(view: DataView, at: number, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => view.getBigUint64(at + 8 * i, true));
}

/**
 * Writes exactly `count` numbers of 64 bits.
 *
 * @param field for the error's message
 * @throws {RangeError} for more numbers, or fewer, and where one does not fit
 */
export function writeWords(
  view: DataView,
  at: number,
  count: number,
  words: readonly bigint[],
  field: string,
): void {
  if (words.length !== count) throw new RangeError(`${field}: expected ${count} words, got ${words.length}`);
  words.forEach((word, i) => view.setBigUint64(at + 8 * i, fitWord(word, field), true));
}

/**
 * The number, if it fits into so many bits: a DataView would cut it down without a word, and make the port 65616 the port 80.
 *
 * @param field for the error's message
 * @throws {RangeError} where it is negative, too large or not whole
 */
export function fit(value: number, bits: 8 | 16 | 32, field: string): number {
  const max = 2 ** bits - 1;
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new RangeError(`${field}: expected a whole number from 0 to ${max}, got ${value}`);
}

/** The same for 64 bits. */
export function fitWord(value: bigint, field: string): bigint {
  if (BigInt.asUintN(64, value) === value) return value;
  throw new RangeError(`${field}: expected a whole number from 0 to ${2n ** 64n - 1n}, got ${value}`);
}

export const u32: Codec<number> = {
  size: 4,
  read: (view, at) => view.getUint32(at, true),
  write: (view, at, value) => view.setUint32(at, fit(value, 32, "a number of 32 bits"), true),
};

export const u64: Codec<bigint> = {
  size: 8,
  read: (view, at) => view.getBigUint64(at, true),
  write: (view, at, value) => view.setBigUint64(at, fitWord(value, "a number of 64 bits"), true),
};
