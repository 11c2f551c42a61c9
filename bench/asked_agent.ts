/** How long an agent's admin interface lets people wait, asked by a process of its own. */

import { spawn } from "../src/host/mod.ts";

const program = new URL("ask_admin.ts", import.meta.url).pathname;

export interface Asking extends AsyncDisposable {
  /** Ends it. @returns how long each answer took, in milliseconds */
  end(): Promise<number[]>;
}

/**
 * Asks from now on.
 *
 * @param socket the agent's
 * @param pauseMs between an answer and the next question
 */
export async function startAsking(socket: string, pauseMs: number): Promise<Asking> {
  const child = spawn([
    ...[Deno.execPath(), "run", "--quiet", "-A", "--unstable-net"],
    ...[program, socket, String(pauseMs)],
  ]);
  // The first answer has the program's own start in it.
  const first = await child.lines.next();
  if (first.done) throw new Error(`nobody answers at ${socket}: ${child.said()}`);
  return {
    end: async () => {
      child.kill("SIGTERM");
      const waits: number[] = [];
      for await (const line of child.lines) waits.push(Number(line));
      return waits;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
