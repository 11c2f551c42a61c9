/** Reading a ring buffer without being woken by it. */

import type { Codec } from "./codec.ts";
import { check } from "./kernel_error.ts";
import type { Shim } from "./shim.ts";

export interface Ring<T> extends Disposable {
  /** What came since the last read, and how many records did not fit. */
  read(): { readonly records: readonly T[]; readonly lost: number };
}

/** @param size the ring's size in bytes */
export function openRing<T>(shim: Shim, mapFd: number, codec: Codec<T>, size: number): Ring<T> {
  const handle = new BigUint64Array(1);
  check(shim.call.weft_ring_open(mapFd, handle), "open", "ring buffer");
  const pointer = Deno.UnsafePointer.create(handle[0]);
  const buffer = new Uint8Array(size * 2);
  const view = new DataView(buffer.buffer);
  return {
    read: () => {
      const lost = new Uint32Array(1);
      const used = check(
        shim.call.weft_ring_read(pointer, buffer, buffer.length, lost),
        "read",
        "ring buffer",
      );
      const records: T[] = [];
      for (let at = 0; at < used;) {
        const length = view.getUint32(at, true);
        if (length >= codec.size) records.push(codec.read(view, at + 4));
        at += (4 + length + 7) & ~7;
      }
      return { records, lost: lost[0] };
    },
    [Symbol.dispose]: () => void shim.call.weft_ring_close(pointer),
  };
}
