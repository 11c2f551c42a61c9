/** Long work in bounded slices, so that keepalive, admin interface and timers never wait for all of it. */

import { nextTurn } from "./next_turn.ts";

/** How long one slice of work may take, in milliseconds. Well below the 50 ms that anything may wait for the event loop. */
const sliceMs = 10;

/**
 * Makes a function to call between small steps of long work: it gives `undefined` while the slice is not used up, else a promise
 * that resolves when everything that waited has had its turn.
 *
 * @example
 * ```ts
 * const pause = slices();
 * for (const resource of resources) {
 *   decode(resource);
 *   await pause();
 * }
 * ```
 */
export function slices(now: () => number = () => performance.now()): () => Promise<void> | undefined {
  let end = now() + sliceMs;
  return () => {
    if (now() < end) return undefined;
    return nextTurn().then(() => {
      end = now() + sliceMs;
    });
  };
}
