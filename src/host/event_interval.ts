/** How often Deno looks at sockets while it always has something else to do. */

import { HostError } from "./host_error.ts";

/** Deno's runtime (tokio) reads it when a process starts, and never again. */
const variable = "DENO_TOKIO_EVENT_INTERVAL";

/**
 * After so many turns of the event loop. By itself Deno (2.9) takes 61: V8, while it marks, asks for a turn for each step of a tenth of a
 * millisecond, and all others wait for 61 of them, again and again. With fewer than 16 marking takes so long under many small changes that
 * the heap grows by a third meanwhile (measured: docs/benchmarks.md, "What was tried").
 */
const turns = 16;

/**
 * Begins the process anew with it, unless somebody has set it. To be called before anything is open, and before signals are listened for.
 *
 * @param startAnew begins this process anew in the environment that it has now
 * @param env what is set there
 * @throws {HostError} where it cannot
 */
export function ensureEventInterval(
  startAnew: () => void,
  env: Pick<Deno.Env, "get" | "set"> = Deno.env,
): void {
  if (env.get(variable) !== undefined) return;
  env.set(variable, String(turns));
  try {
    startAnew();
  } catch (cause) {
    throw new HostError(
      `the agent cannot begin anew in an environment with ${variable}: ${
        cause instanceof Error ? cause.message : String(cause)
      }`,
      `start it with ${variable}=${turns} set`,
      { cause },
    );
  }
}
