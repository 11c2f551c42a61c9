/** The demo's other processes: each backend and the client is this program once more, in a namespace of its own. */

import { callForever } from "./client.ts";
import { serve } from "./serve.ts";

/** Said when a backend can be reached. */
export const readyLine = "ready";

/** Told to the client when it may begin. */
export const beginLine = "begin";

/**
 * Is a backend until standard input ends or the signal aborts.
 *
 * @param port for TCP and UDP
 */
export async function runBackend(name: string, port: number, signal: AbortSignal): Promise<void> {
  const input = readInput(signal);
  await serve(name, port, () => say(readyLine), input.ended);
}

/** Is the client until standard input ends or the signal aborts; begins when it is told to. */
export async function runClient(signal: AbortSignal): Promise<void> {
  const input = readInput(signal);
  await input.begun;
  await callForever((counts) => say(JSON.stringify(counts)), input.ended);
}

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

/** @returns when something has come from standard input, and a signal that aborts when no more can come */
function readInput(signal: AbortSignal): { begun: Promise<void>; ended: AbortSignal } {
  const begun = Promise.withResolvers<void>();
  const closed = new AbortController();
  (async () => {
    for await (const _ of Deno.stdin.readable) begun.resolve();
  })().finally(() => {
    // The demo has ended, however it did.
    closed.abort();
    begun.resolve();
  });
  signal.addEventListener("abort", () => begun.resolve(), { once: true });
  return { begun: begun.promise, ended: AbortSignal.any([signal, closed.signal]) };
}
