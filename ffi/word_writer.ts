/** Array values written word by word, so that no reader ever sees a word half written. */

import type { Codec } from "./codec.ts";
import { check } from "./kernel_error.ts";
import { closeFd, type Shim } from "./shim.ts";

/** Writes of one call: little enough to copy in one go. */
const batchSize = 4096;

/** What to write where: an index, or a slot and a position in its array. */
export interface WordWrite<V> {
  readonly place: number;
  readonly position?: number;
  readonly value: V;
}

/** Stores into one array, or into the arrays of one array of maps. */
export interface WordWriter extends Disposable {
  /**
   * Sets values, each 64-bit word of them at once, in order. On an error those before it are set.
   *
   * @throws {KernelError} ENOENT where there is no such element
   */
  readonly write: <V>(codec: Codec<V>, writes: Iterable<WordWrite<V>>) => void;
}

/** Writes of one run of the program: BATCH in libshim/words.c. */
const runSize = 32;

/** Values that can be written so, in bytes: whole words, 16 at most. */
function isOfWords(size: number): boolean {
  return size > 0 && size % 8 === 0 && size <= 128;
}

/**
 * Loads the program that does the stores: the kernel's own update copies with memcpy(), which may store byte by byte (before 6.4 on
 * every x86 processor with ERMS, where it is `rep movsb`).
 *
 * @param map its name is for messages; with `isOuter` an array of maps
 * @param valueSize in bytes
 * @throws {KernelError} where the kernel has no programs of type syscall (5.14)
 */
export function openWordWriter(
  shim: Shim,
  map: { readonly name: string; readonly fd: number; readonly isOuter: boolean },
  valueSize: number,
): WordWriter {
  if (!isOfWords(valueSize)) throw new RangeError(`values of ${valueSize} bytes are not 1 to 16 words`);
  const words = valueSize / 8;
  const size = 8 + valueSize;
  const fd = check(
    shim.call.weft_word_writer(map.fd, words, map.isOuter ? 1 : 0),
    "load the program that writes",
    `map ${map.name}`,
  );
  // Most runs are of a few words, and a buffer costs more than filling it.
  const few = new DataView(new ArrayBuffer(runSize * size));
  const lengthOf = new Uint32Array(1);
  const run = (view: DataView<ArrayBuffer>, length: number) => {
    for (let done = 0; done < length; done += runSize) shim.count(`${map.name}.write_words`);
    lengthOf[0] = length;
    const result = shim.call.weft_write_words(fd, words, view.buffer, lengthOf);
    check(result, "write words of", `map ${map.name}`);
  };
  return {
    write: (codec, writes) => {
      const capacity = Array.isArray(writes) ? Math.min(writes.length, batchSize) : batchSize;
      let view: DataView<ArrayBuffer> | undefined;
      let length = 0;
      for (const { place, position = 0, value } of writes) {
        view ??= capacity <= runSize ? few : new DataView(new ArrayBuffer(capacity * size));
        view.setUint32(length * size, place, true);
        view.setUint32(length * size + 4, position, true);
        codec.write(view, length * size + 8, value);
        if (++length < capacity) continue;
        run(view, length);
        length = 0;
      }
      if (view && length > 0) run(view, length);
    },
    [Symbol.dispose]: () => closeFd(shim, fd),
  };
}
