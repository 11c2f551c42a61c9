/**
 * Benchmarks: each compares two things within one run and prints the ratio and both raw figures. Results go to
 * build/bench/<name>.json as well. docs/benchmarks.md says what each one measures.
 *
 *     deno task bench [NAME...] [--quick] [-o json]
 */

import { parseArgs } from "@std/cli/parse-args";
import type { Benchmark, Figure } from "./figure.ts";
import { formatFigures, isMet } from "./figure.ts";
import { adsBenchmark } from "./ads_benchmark.ts";
import { bpfBenchmark } from "./bpf_benchmark.ts";
import { connectBenchmark } from "./connect_benchmark.ts";
import { localityBenchmark } from "./locality_benchmark.ts";
import { memoryBenchmark } from "./memory_benchmark.ts";
import { policiesBenchmark } from "./policies_benchmark.ts";
import { programmingBenchmark } from "./programming_benchmark.ts";
import { recordsBenchmark } from "./records_benchmark.ts";
import { sotwBenchmark } from "./sotw_benchmark.ts";
import { outputDirectory } from "./tools.ts";

const benchmarks: readonly Benchmark[] = [
  connectBenchmark,
  bpfBenchmark,
  programmingBenchmark,
  memoryBenchmark,
  recordsBenchmark,
  localityBenchmark,
  policiesBenchmark,
  adsBenchmark,
  sotwBenchmark,
];

const usage = `usage: bench [NAME...] [--quick] [-o json]

${benchmarks.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join("\n")}

  --quick      few rounds: to see that it works, not to compare
  -o json      one JSON document instead of tables`;

/** Above this the machine has other work than the benchmarks. */
const busyLoad = 1.5;

/** What is written to a file and printed with -o json. */
interface Result {
  readonly benchmark: string;
  readonly title: string;
  readonly date: string;
  readonly kernel: string;
  readonly cpus: number;
  /** Tasks that ran or waited in the minute before (load average): what else was going on. */
  readonly load: number;
  readonly quick: boolean;
  readonly figures: readonly (Figure & { readonly met: boolean | undefined })[];
}

async function main(): Promise<number> {
  const wrong: string[] = [];
  const args = parseArgs(Deno.args, {
    boolean: ["quick", "help"],
    string: ["o"],
    alias: { h: "help" },
    unknown: (arg, key) => {
      if (key !== undefined) wrong.push(arg);
      return key === undefined;
    },
  });
  const names = args._.map(String);
  const unknown = [...wrong, ...names.filter((name) => !benchmarks.some((one) => one.name === name))];
  if (args.help || unknown.length > 0 || (args.o !== undefined && args.o !== "json")) {
    console.error(unknown.length > 0 ? `unknown: ${unknown.join(", ")}\n${usage}` : usage);
    return args.help ? 0 : 2;
  }
  if (Deno.uid() !== 0) {
    console.error("bench: only root can load BPF programs; nothing was measured");
    return 1;
  }
  const results: Result[] = [];
  for (const benchmark of benchmarks) {
    if (names.length > 0 && !names.includes(benchmark.name)) continue;
    results.push(await measure(benchmark, args.quick === true, args.o !== "json"));
  }
  if (args.o === "json") console.log(JSON.stringify(results, null, 2));
  return 0;
}

async function measure(benchmark: Benchmark, quick: boolean, print: boolean): Promise<Result> {
  const { name, title } = benchmark;
  console.error(`bench ${name}: ${title}`);
  const say = (line: string) => console.error(`bench ${name}: ${line}`);
  const [load] = Deno.loadavg();
  if (load > busyLoad) {
    say(`this machine is busy (load ${load.toFixed(1)}): everything that misses caches looks worse`);
  }
  const figures = await benchmark.run({ quick, say });
  const result: Result = {
    benchmark: name,
    title,
    date: new Date().toISOString(),
    kernel: Deno.osRelease(),
    cpus: navigator.hardwareConcurrency,
    load,
    quick,
    figures: figures.map((figure) => ({ ...figure, met: isMet(figure) })),
  };
  await Deno.mkdir(outputDirectory, { recursive: true });
  await Deno.writeTextFile(`${outputDirectory}/${name}.json`, `${JSON.stringify(result, null, 2)}\n`);
  if (print) console.log(`\n${name}: ${title}\n\n${formatFigures(figures)}\n`);
  return result;
}

if (import.meta.main) Deno.exit(await main());
