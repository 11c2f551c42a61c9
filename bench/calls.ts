/** Counting bpf() calls: as the shim counts them, and as strace(1) does. */

/** Calls by map and operation, such as `frontends.update_batch`. */
export type Calls = ReadonlyMap<string, number>;

/** What was counted between two readings of the shim's counts. */
export function callsBetween(before: Calls, after: Calls): Calls {
  const more = [...after].map(([what, count]) => [what, count - (before.get(what) ?? 0)] as const);
  return new Map(more.filter(([, count]) => count > 0));
}

/** All calls, or those on one map. */
export function sumOf(calls: Calls, map?: string): number {
  return [...calls].filter(([what]) => map === undefined || what.split(".")[0] === map)
    .reduce((sum, [, count]) => sum + count, 0);
}

/** Files that are not there: looking for one marks a place in strace's output. */
export const traceMarks = { start: "/weft-bench-start", end: "/weft-bench-end" } as const;

/** Leaves a mark for strace. */
export function markTrace(mark: keyof typeof traceMarks): void {
  try {
    Deno.statSync(traceMarks[mark]);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What strace saw between the marks, by system call, and what the program printed. */
export interface Trace {
  readonly seen: Calls;
  readonly printed: string;
}

/** Runs a program of ours under strace; `undefined` where strace is not installed. */
export async function traceProgram(
  program: string,
  args: readonly string[],
  systemCalls: readonly string[],
): Promise<Trace | undefined> {
  const file = await Deno.makeTempFile({ prefix: "weft-bench-" });
  try {
    const output = await new Deno.Command("strace", {
      args: [
        ...[
          "-f",
          "-qq",
          "-s",
          "64",
          "-o",
          file,
          "-e",
          `trace=${[...systemCalls, "statx", "stat"].join(",")}`,
        ],
        ...[Deno.execPath(), "run", "--quiet", "--cached-only", "-A", program, ...args],
      ],
    }).output();
    if (!output.success) throw new Error(new TextDecoder().decode(output.stderr).trim());
    const seen = countBetweenMarks(await Deno.readTextFile(file), systemCalls);
    return { seen, printed: new TextDecoder().decode(output.stdout) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    await Deno.remove(file);
  }
}

function countBetweenMarks(trace: string, systemCalls: readonly string[]): Calls {
  const lines = trace.split("\n");
  const start = lines.findIndex((line) => line.includes(traceMarks.start));
  const end = lines.findIndex((line) => line.includes(traceMarks.end));
  if (start === -1 || end === -1) throw new Error("strace shows no marks: its output is not understood");
  const counts = new Map<string, number>();
  for (const line of lines.slice(start, end)) {
    const call = /^\d+ +(\w+)\(/.exec(line)?.[1]; // not "<... resumed>": each call once
    if (call && systemCalls.includes(call)) counts.set(call, (counts.get(call) ?? 0) + 1);
  }
  return counts;
}
