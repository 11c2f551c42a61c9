/** What the benchmarks need that is not TypeScript: compiled into build/bench/ when they start. */

import { run } from "../src/host/mod.ts";

const root = new URL("..", import.meta.url).pathname;
const directory = `${root}build/bench`;

/** Where results and tools are put. */
export const outputDirectory = directory;

/** The objects of BPF programs that are not weft's, bench/NAME.bpf.c. */
export type ObjectName = "empty" | "choice";

/** Compiles one of the benchmarks' C programs, bench/NAME.c; its path. */
export async function buildProgram(name: "connect" | "churn"): Promise<string> {
  await Deno.mkdir(directory, { recursive: true });
  const output = `${directory}/${name}`;
  await run([
    ..."gcc -O2 -std=gnu11 -Wall -Wextra -Werror -pthread".split(" "),
    ...["-o", output, `${root}bench/${name}.c`],
  ]);
  return output;
}

/** Compiles one of them; its name, as the shim's payload knows it. */
export async function buildObject(name: ObjectName): Promise<string> {
  await Deno.mkdir(directory, { recursive: true });
  const triplet = (await run(["gcc", "-print-multiarch"])).trim();
  await run([
    ..."clang-19 -O2 -g -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Werror".split(" "),
    `-I/usr/include/${triplet}`,
    ...["-c", `${root}bench/${name}.bpf.c`, "-o", `${directory}/${name}.bpf.o`],
  ]);
  return `bench/${name}`;
}
