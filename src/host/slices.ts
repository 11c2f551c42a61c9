/** Long work in bounded slices, so that keepalive, admin interface and timers never wait for all of it. */

/** How long one slice of work may take, in milliseconds. Well below the 50 ms that anything may wait for the event loop. */
const sliceMs = 10;

/** How long one may take while others have work to do, which is so for a while after a rest that was used; in milliseconds. */
const shortSliceMs = 5;
const attentiveMs = 50;

/** How often to rest in a row: a request is accepted, read and answered. */
const restsAtMost = 3;

/**
 * To be called between small steps of long work: it gives `undefined` while the slice is not used up, else a promise that resolves
 * when everything that waited has had its turn.
 */
export type Pause = () => Promise<void> | undefined;

/** Begins work that pauses. */
export type Slices = () => Pause;

/**
 * Makes slices.
 *
 * @param rest resolves when everything that waits has had its turn. Not an immediate, nor a message, nor a promise: where one follows
 * the other Deno (2.9) looks for nothing that comes from outside (docs/benchmarks.md, "What was tried")
 * @param usedRestMs a rest that took as long, in milliseconds, was used: others had work to do, and may not be done with it
 * @example
 * ```ts
 * const pause = slices();
 * for (const resource of resources) {
 *   decode(resource);
 *   await pause();
 * }
 * ```
 */
export function createSlices(
  rest: () => Promise<unknown>,
  usedRestMs: number,
  now: () => number = () => performance.now(),
): Slices {
  let attentiveUntil = -Infinity;
  const restUntilUnused = async () => {
    for (let rests = 0; rests < restsAtMost; rests++) {
      const began = now();
      await rest();
      const ended = now();
      if (ended - began < usedRestMs) return;
      attentiveUntil = ended + attentiveMs;
    }
  };
  const endOfSlice = () => {
    const begin = now();
    return begin + (begin < attentiveUntil ? shortSliceMs : sliceMs);
  };
  return () => {
    let end = endOfSlice();
    return () => {
      if (now() < end) return undefined;
      return restUntilUnused().then(() => {
        end = endOfSlice();
      });
    };
  };
}

/** Slices with a timer of no time between them, which takes 2 ms. */
export const timedSlices: Slices = createSlices(() => new Promise((resolve) => setTimeout(resolve, 0)), 4);
