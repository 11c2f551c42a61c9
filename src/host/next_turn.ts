import { setImmediate } from "node:timers";

/** Resolves when everything that waits for the event loop now has had its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
