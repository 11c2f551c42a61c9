/** Long work as a series of small steps: the work stays pure, and who has it done says when others have their turn. */

import type { Pause } from "./slices.ts";

/** Yields between steps, and returns the result. */
export type Steps<T> = Generator<undefined, T, void>;

/** How many small things, such as looking at one endpoint, make one step. */
export const stepSize = 256;

/** Does all of it at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Does it in slices. */
export async function inSlices<T>(steps: Steps<T>, pause: Pause): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    const turn = pause();
    if (turn) await turn;
  }
}

/** As `Array.map`. */
export function* mapInSteps<T, R>(items: readonly T[], each: (item: T) => R): Steps<R[]> {
  const results: R[] = [];
  for (const item of items) {
    results.push(each(item));
    if (results.length % stepSize === 0) yield;
  }
  return results;
}
