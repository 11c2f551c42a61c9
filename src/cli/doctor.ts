import type { CheckResult, DoctorReport, Status } from "../doctor/mod.ts";
import { defineCommand } from "./command.ts";
import { cgroupFlag, pinRootFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import type { StyleName } from "./style.ts";
import { renderTable } from "./table.ts";
import type { TextOutput } from "./text_output.ts";

/** The command `weft doctor`. */
export const doctorCommand = defineCommand({
  name: "doctor",
  summary: "try what this kernel and host can do, and say what to do where they cannot",
  description:
    "Each check really does what it is about: it makes the maps, loads the programs, attaches them to a cgroup of its " +
    "own and connects through a rewritten address in a network namespace of its own. Nothing is pinned and nothing of " +
    "the host is changed; it may run beside an agent. A warning is something that weft does without; a failure is " +
    "not: then the exit code is 1.\n\n" +
    "-o json prints one object: ok (whether nothing failed), kernel, checks (a list of id, section, title, status: " +
    "ok, warning, failed or skipped, detail, remedy or null, durationMs), features (by name: available: true, " +
    "false or null where it could not be found out, since, without) and foreignPrograms (a list of id, name, hook, " +
    "cgroup, or null where they could not be listed). Ids and names stay as they are.",
  flags: [outputFlag, cgroupFlag, pinRootFlag],
  positionals: [],
  examples: [
    { command: "sudo weft doctor", help: "before the first weft run" },
    { command: "sudo weft doctor -o json", help: "for a bug report" },
  ],
  async run(context) {
    const { flags, stdout, signal } = context;
    const { runDoctor } = await import("../doctor/mod.ts");
    const lines = flags.output === "table" ? progress(stdout) : undefined;
    const report = await runDoctor({
      cgroup: flags.cgroup,
      pinRoot: flags["pin-root"].replace(/(?<=.)\/+$/, ""),
      onResult: (result) => lines?.tell(result),
      signal,
    });
    lines?.end();
    await printOutput(context, flags.output, report, () => renderEnd(report, stdout));
    return report.ok ? exitCodes.ok : exitCodes.failed;
  },
});

const statusStyles: Readonly<Record<Status, StyleName>> = {
  ok: "green",
  warning: "yellow",
  failed: "red",
  skipped: "dim",
};

/** As wide as the widest status, and as the widest title. */
const statusWidth = 9;
const titleWidth = 40;

/** Writes what comes, under its section's name: a line a check, and one for checks in a row that were skipped for one reason. */
function progress(
  out: TextOutput,
): { readonly tell: (result: CheckResult) => void; readonly end: () => void } {
  let section: string | undefined;
  let skipped: CheckResult[] = [];
  const line = (status: Status, title: string, detail: string) => {
    const word = out.style(statusStyles[status], status.padEnd(statusWidth));
    out.write(`  ${word}${title.padEnd(titleWidth)}${detail}\n`);
  };
  const end = () => {
    const [first] = skipped;
    if (first === undefined) return;
    line("skipped", skipped.length === 1 ? first.title : `${skipped.length} checks`, first.detail);
    skipped = [];
  };
  const tell = (result: CheckResult) => {
    const [first] = skipped;
    if (first?.section !== result.section || first.detail !== result.detail) end();
    if (result.section !== section) {
      out.write(`${section === undefined ? "" : "\n"}${out.style("bold", result.section)}\n`);
      section = result.section;
    }
    if (result.status === "skipped") {
      skipped.push(result);
      return;
    }
    line(result.status, result.title, result.detail);
    if (result.remedy !== null) {
      out.write(`  ${" ".repeat(statusWidth)}${out.style("cyan", "what to do:")} ${result.remedy}\n`);
    }
  };
  return { tell, end };
}

/** What follows the checks: other programs, features, the verdict. */
function renderEnd(report: DoctorReport, { style }: TextOutput): string {
  const programs = report.foreignPrograms ?? [];
  const others = programs.length === 0 ? "" : "\n" + renderTable(
    ["PROGRAM", "NAME", "HOOK", "CGROUP"],
    programs.map(({ id, name, hook, cgroup }) => [id, name || null, hook, cgroup]),
    style,
  );
  const features = renderTable(
    ["FEATURE", "HERE", "SINCE", "WITHOUT IT"],
    Object.entries(report.features).map(([name, { available, since, without }]) => [
      name,
      available === null ? null : { text: available ? "yes" : "no", style: available ? "green" : "yellow" },
      since === null ? null : `Linux ${since}`,
      without,
    ]),
    style,
  );
  return `${others}\n${features}\n${verdict(report, style)}\n`;
}

function verdict({ ok, kernel, checks }: DoctorReport, style: TextOutput["style"]): string {
  const count = (status: Status) => checks.filter((check) => check.status === status).length;
  const counts = (["failed", "warning", "skipped"] as const).map((status) => [status, count(status)] as const)
    .filter(([, number]) => number > 0)
    .map(([status, number]) => `${number} ${status}${status === "warning" && number > 1 ? "s" : ""}`);
  const answer = ok
    ? style("green", `weft works on this host (Linux ${kernel})`)
    : style("red", `weft does not work on this host (Linux ${kernel}) as things are`);
  return `${answer}: ${[`${checks.length} checks`, ...counts].join(", ")}`;
}
