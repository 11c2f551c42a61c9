/** Long work in bounded slices, so that keepalive, admin interface and timers never wait for all of it. */

import { timerTurn, type Turns } from "./turns.ts";

/**
 * To be called between small steps of long work: it gives `undefined` while the slice is not used up, else a promise that resolves
 * when everything that waited has had its turn.
 */
export type Pause = () => Promise<void> | undefined;

/** For work that nobody waits for. */
export const noPause: Pause = () => undefined;

/** Begins work that pauses. */
export type Slices = () => Pause;

/**
 * Makes slices.
 *
 * @param sliceMs how long one slice of work may take, in milliseconds: well below the 50 ms that anything may wait for the event loop
 * @param rest resolves when everything that waits has had its turn
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
  sliceMs: number,
  rest: () => Promise<unknown>,
  now: () => number = () => performance.now(),
): Slices {
  return () => {
    let end = now() + sliceMs;
    return () => {
      if (now() < end) return undefined;
      return rest().then(() => {
        end = now() + sliceMs;
      });
    };
  };
}

/**
 * A request is accepted in one turn, read and handled in the next, and answered in a third. The others are V8's: while it marks it does a
 * little (a tenth of a millisecond) in each of the runtime's own, of which there are up to sixteen in one of these (event_interval.ts); with
 * less it does the rest in one go when memory runs out.
 */
const turnsOfRest = 12;

/** Slices with some turns of the event loop between them, which take 0.1 ms where nobody uses them. */
export function turnSlices(turns: Turns): Slices {
  return createSlices(8, async () => {
    for (let i = 0; i < turnsOfRest; i++) await turns.next();
  });
}

/** Slices for who has no turns: longer ones, as a rest takes 2 ms. */
export const timedSlices: Slices = createSlices(10, timerTurn);
