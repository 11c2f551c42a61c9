import { exitCodes } from "./exit_codes.ts";

/** Why a command's signal aborted: the process was asked to end. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";

  constructor(readonly signal: "SIGINT" | "SIGTERM") {
    super(`interrupted by ${signal}`);
  }

  /** What a process that ends for this reason answers to the shell. */
  get exitCode(): number {
    return this.signal === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
  }
}

/** Milliseconds in which a signal's copies arrive: `deno task` and npx pass on what the terminal has sent to all of them. */
const echoTime = 1000;

/**
 * From now on the first SIGINT or SIGTERM aborts the returned signal instead of ending the process. One that follows later
 * than its copies would ends the process at once, for somebody waits for a command that does not come to its end.
 */
export function signalOnInterruption(): AbortSignal {
  const controller = new AbortController();
  let first: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      const interruption = new Interrupted(signal);
      first ??= performance.now();
      if (performance.now() - first > echoTime) Deno.exit(interruption.exitCode);
      controller.abort(interruption);
    });
  }
  return controller.signal;
}
