import { setImmediate } from "node:timers/promises";

const nap = new Int32Array(new SharedArrayBuffer(4));

/**
 * Looks again and again until something holds, 0.1 ms apart. Between two looks it sleeps: a process that only looks is taken from its
 * processor at the scheduler's tick alone (each 4 ms at 250 Hz), and the one it waits for may have been woken on the same.
 *
 * @param patienceMs how long at most, in milliseconds
 * @param never what to throw then
 */
export async function lookUntil(
  holds: () => boolean,
  patienceMs: number,
  never: () => Error | Promise<Error>,
): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    if (performance.now() - start > patienceMs) throw await never();
    await setImmediate();
    Atomics.wait(nap, 0, 0, 0.02);
  }
}
