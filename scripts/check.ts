/** Everything that can be said about the sources without running them: format, lint, types, C format, generated files. */

const root = new URL("..", import.meta.url).pathname;

/** One check: a program and its arguments. */
interface Check {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What to do where it fails. */
  readonly remedy: string;
}

/** The C sources below a directory of ours; "" is the root. */
function cSources(directory: string): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(root + directory)) {
    const path = directory + entry.name;
    if (entry.isDirectory && !/^(\..*|build|dist|node_modules)$/.test(entry.name)) {
      found.push(...cSources(`${path}/`));
    } else if (entry.isFile && /\.[ch]$/.test(entry.name)) found.push(path);
  }
  return found.sort();
}

const c = cSources("");
const deno = Deno.execPath();
const checks: readonly Check[] = [
  { name: "format", command: deno, args: ["fmt", "--check"], remedy: "deno fmt" },
  { name: "lint", command: deno, args: ["lint"], remedy: "deno lint --fix, or mend by hand" },
  { name: "types", command: deno, args: ["check", "--quiet", "--frozen", "."], remedy: "mend what it names" },
  {
    name: "C format",
    command: "clang-format-19",
    args: ["--dry-run", "-Werror", ...c],
    remedy: `clang-format-19 -i ${c.join(" ")}`,
  },
  {
    name: "generated files",
    command: deno,
    args: ["run", "-A", "scripts/codegen.ts", "--check"],
    remedy: "deno task build, and commit what it wrote",
  },
];

/** Runs a check and answers with its output where it fails. */
async function failureOf(check: Check): Promise<string | undefined> {
  let output: Deno.CommandOutput;
  try {
    const args = [...check.args];
    output = await new Deno.Command(check.command, { args, cwd: root, stdin: "null" }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return `${check.command} is not installed; run: deno task setup\n`;
  }
  const text = new TextDecoder();
  return output.success ? undefined : text.decode(output.stdout) + text.decode(output.stderr);
}

let failed = 0;
for (const check of checks) {
  const failure = await failureOf(check);
  console.log(`check: ${check.name}: ${failure === undefined ? "ok" : "FAILED"}`);
  if (failure !== undefined) {
    failed++;
    console.log(`${failure.trimEnd()}\n  to mend it: ${check.remedy}`);
  }
}
Deno.exit(failed === 0 ? 0 : 1);
