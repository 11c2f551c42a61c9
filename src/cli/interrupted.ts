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

/**
 * From now on the first SIGINT or SIGTERM aborts the returned signal instead of ending the process; the second one ends it
 * at once, for somebody waits for a command that does not come to its end.
 */
export function signalOnInterruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      const interruption = new Interrupted(signal);
      if (controller.signal.aborted) Deno.exit(interruption.exitCode);
      controller.abort(interruption);
    });
  }
  return controller.signal;
}
