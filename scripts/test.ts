/**
 * Runs the tests and prints as its very last line `N passed, N failed, N skipped`.
 *
 *     deno run -A scripts/test.ts [unit] [kernel] [e2e] [--filter TEXT] [--no-check]
 *
 * Without a name all three run. Kernel and end-to-end tests need root and run one file after another, for they share the
 * kernel. `--filter` takes only the groups (the outermost `describe`) whose name contains the text. `--no-check` does not check
 * types, which takes minutes on an emulated processor.
 */

import { parseArgs } from "@std/cli/parse-args";
import { type Counts, countTests } from "./junit.ts";

const root = new URL("..", import.meta.url).pathname;
const suites = ["unit", "kernel", "e2e"] as const;
type Suite = typeof suites[number];

function usage(problem: string): never {
  console.error(`test: ${problem}\nusage: test.ts [${suites.join("] [")}] [--filter TEXT] [--no-check]`);
  Deno.exit(2);
}

/** Which tests to run, and which flags `deno test` gets. */
function readArguments(): { asked: readonly Suite[]; flags: readonly string[] } {
  const parsed = parseArgs(Deno.args, {
    string: ["_", "filter"],
    boolean: ["no-check"],
    unknown: (arg, key) => key === undefined || usage(`unknown flag ${arg}`),
  });
  const names = parsed._.map(String);
  const unknown = names.find((name) => !suites.some((suite) => suite === name));
  if (unknown !== undefined) usage(`there are no tests called "${unknown}"`);
  if (parsed.filter === "") usage("--filter needs a text");
  return {
    asked: names.length === 0 ? suites : suites.filter((suite) => names.includes(suite)),
    flags: [
      ...(parsed.filter === undefined ? [] : ["--filter", `${parsed.filter}`]),
      ...(parsed["no-check"] ? ["--no-check"] : []),
    ],
  };
}

async function testFiles(suite: Suite): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const entry of Deno.readDir(`${root}tests/${suite}`)) {
      if (entry.isFile && entry.name.endsWith("_test.ts")) files.push(`tests/${suite}/${entry.name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files.sort();
}

/** Runs one suite, its output going where ours goes. */
async function runSuite(suite: Suite, flags: readonly string[]): Promise<Counts> {
  const files = await testFiles(suite);
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  if (suite !== "unit" && Deno.uid() !== 0) {
    console.log(`test: SKIPPED the ${suite} tests (${files.length} files): they need root`);
    return { passed: 0, failed: 0, skipped: files.length };
  }
  const junit = `${root}build/junit/${suite}.xml`;
  await Deno.mkdir(`${root}build/junit`, { recursive: true });
  await Deno.remove(junit).catch(() => {});
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "-A",
      `--junit-path=${junit}`,
      ...flags,
      ...files,
    ],
    cwd: root,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  const counts = countTests(await Deno.readTextFile(junit).catch(() => ""));
  if (code === 0 || counts.failed > 0) return counts;
  console.log(
    `test: the ${suite} tests ended with exit code ${code} though no test failed; counted as a failure`,
  );
  return { ...counts, failed: 1 };
}

const { asked, flags } = readArguments();
const total = { passed: 0, failed: 0, skipped: 0 };
for (const suite of asked) {
  const counts = await runSuite(suite, flags);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
const ran = total.passed + total.failed;
if (ran === 0) console.log("test: no test ran, which is a failure too");
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
Deno.exit(total.failed > 0 || ran === 0 ? 1 : 0);
