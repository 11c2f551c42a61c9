/** Values made of equal bytes are made once: a mesh says the same few thousand things a hundred thousand times. */

interface Entry<T> {
  readonly start: number;
  readonly end: number;
  readonly value: T;
  readonly next: Entry<T> | undefined;
}

/**
 * Makes a function from a range of `bytes` to a value: the very same value for ranges with equal contents.
 *
 * @param make makes the value of a range; where it throws nothing is remembered
 */
export function createByteMemo<T>(
  bytes: Uint8Array,
  make: (start: number, end: number) => T,
): (start: number, end: number) => T {
  // Most responses are of one change, and ask for little.
  let entries: Map<number, Entry<T>> | undefined;
  return (start, end) => {
    let hash = end - start;
    let at = start;
    // Four at a time: each multiplication waits for the one before.
    for (; at + 4 <= end; at += 4) {
      const word = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
      hash = Math.imul(hash ^ word, 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    for (; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
    // 30 bits, which the runtime keeps without a box.
    hash = (hash ^ hash >>> 15) & 0x3fffffff;
    const first = entries?.get(hash);
    for (let entry = first; entry !== undefined; entry = entry.next) {
      if (equal(bytes, entry.start, entry.end, start, end)) return entry.value;
    }
    const value = make(start, end);
    entries ??= new Map();
    entries.set(hash, { start, end, value, next: first });
    return value;
  };
}

function equal(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  for (; a < aEnd; a++, b++) if (bytes[a] !== bytes[b]) return false;
  return true;
}
