import { setImmediate } from "node:timers";

/**
 * Resolves in the next turn of the event loop, after the timers that are due and what has been received already. What comes from outside
 * may have to wait for more than one (turns.ts).
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
