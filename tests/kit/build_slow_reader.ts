import { run } from "../../src/host/mod.ts";
import { isFresh } from "./fresh.ts";

const root = new URL("../../", import.meta.url).pathname;

/** The object's name, as `loadPrograms` takes it. */
const name = "kit/slow_reader";

/**
 * Compiles the product's programs with bpf/slow_reader.h in them, where the object is missing or older than its sources.
 *
 * @returns its name in the payload
 */
export async function buildSlowReader(): Promise<string> {
  const header = `${root}tests/kit/bpf/slow_reader.h`;
  const files = [header, ...[...Deno.readDirSync(`${root}bpf`)].map((entry) => `${root}bpf/${entry.name}`)];
  const object = `${root}build/${name}.bpf.o`;
  if (isFresh(object, files)) return name;
  Deno.mkdirSync(`${root}build/kit`, { recursive: true });
  const next = `${object}.${Deno.pid}`;
  await run([
    "clang-19",
    ..."-O2 -g -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter".split(" "),
    `-I/usr/include/${Deno.build.arch}-linux-gnu`,
    `-DWEFT_TEST_BEFORE_RECORD="${header}"`,
    ...["-c", `${root}bpf/workload.bpf.c`, "-o", next],
  ]);
  Deno.renameSync(next, object);
  return name;
}
