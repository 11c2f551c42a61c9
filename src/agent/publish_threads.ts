import { ArrayOfMaps, closeFd, createMap, KernelError, type Shim } from "../../ffi/mod.ts";

/** How many threads overlap their waits where a batch does not. */
const threads = 64;
const slots = 8;
const arrayOfMaps = 12;
const array = 2;
const innerMapFlag = 1 << 12;

/**
 * How records are best published here: 0 for one batch, where that waits for one RCU grace period in all (6.8), else a
 * number of threads, each of whose updates waits for one of its own. Tried, not guessed: only speed hangs on the answer.
 */
export async function probePublishThreads(shim: Shim): Promise<number> {
  const shape = { keySize: 4, valueSize: 8, maxEntries: 1, flags: innerMapFlag };
  const inner = createMap(shim, { type: array, name: "probe_record", ...shape });
  const fd = createMap(shim, {
    type: arrayOfMaps,
    name: "probe_records",
    keySize: 4,
    valueSize: 4,
    maxEntries: slots,
    innerFd: inner,
  });
  using outer = new ArrayOfMaps(shim, fd, "probe_records");
  const time = async (count: number, threads: number) => {
    const start = performance.now();
    await outer.publish(Array.from({ length: count }, (_, slot) => ({ slot, fd: inner })), threads);
    return performance.now() - start;
  };
  try {
    const one = await time(1, 1);
    const batch = await time(slots, 0);
    return batch < one * (slots / 2) ? 0 : threads;
  } catch (error) {
    if (error instanceof KernelError) return threads; // no batches on arrays of maps (5.19)
    throw error;
  } finally {
    closeFd(shim, inner);
  }
}
