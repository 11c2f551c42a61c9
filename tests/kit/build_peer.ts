import { run } from "../../src/host/mod.ts";
import { isFresh } from "./fresh.ts";

const sources = new URL("peer/", import.meta.url).pathname;
const directory = new URL("../../build/kit/", import.meta.url).pathname;

/** Compiles the peer program where it is missing or older than its sources. @returns its path */
export async function buildPeer(): Promise<string> {
  const files = [...Deno.readDirSync(sources)].map((entry) => sources + entry.name);
  const program = `${directory}peer`;
  if (isFresh(program, files)) return program;
  Deno.mkdirSync(directory, { recursive: true });
  // Another test may run the old one right now: the new one takes its name when it is complete.
  const next = `${program}.${Deno.pid}`;
  await run([
    "gcc",
    ..."-O2 -D_GNU_SOURCE -std=gnu11 -Wall -Wextra -Werror".split(" "),
    ...files.filter((file) => file.endsWith(".c")),
    ...["-o", next],
  ]);
  Deno.renameSync(next, program);
  return program;
}
