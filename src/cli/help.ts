import { type Command, type FlagSpec, shown } from "./command.ts";
import { exitCodeHelp } from "./exit_codes.ts";
import { helpFlag } from "./flags.ts";
import type { TextOutput } from "./text_output.ts";

type Page = Pick<TextOutput, "style" | "width">;

/** Longer lines are hard to read, also on a wide terminal. */
const widest = 110;

/** What `weft --help` says. */
export function renderOverview(commands: readonly Command[], page: Page): string {
  return [
    "weft balances every connect() on this node in the kernel, without a proxy.",
    section("Usage", ["weft COMMAND [FLAGS]"], page),
    section(
      "Commands",
      aligned(shown(commands).map((command) => [command.name, command.summary]), page),
      page,
    ),
    section(
      "Flags",
      aligned([["-h, --help", "show this help"], ["    --version", "show the version"]], page),
      page,
    ),
    "Run weft COMMAND --help for what a command does, its flags and examples.\n",
  ].join("\n\n");
}

/** What `weft COMMAND --help` says. */
export function renderCommandHelp(command: Command, page: Page): string {
  const flags = [...command.flags, helpFlag];
  const parts = [
    capitalised(command.summary) + ".",
    section("Usage", [`weft ${command.name} ${command.usage ?? usageOf(command)}`.trimEnd()], page),
    ...command.description.split("\n\n").map((paragraph) => wrap(paragraph, textWidth(page)).join("\n")),
  ];
  if (command.positionals.length > 0) {
    const rows = command.positionals.map((positional) => [positional.name, positional.help] as const);
    parts.push(section("Arguments", aligned(rows, page), page));
  }
  parts.push(section("Flags", aligned(flags.map((flag) => [flagName(flag), flagHelp(flag)]), page), page));
  if (command.examples.length > 0) {
    const lines = command.examples.flatMap((example, index) => [
      ...(index > 0 ? [""] : []),
      page.style("dim", `# ${example.help}`),
      example.command,
    ]);
    parts.push(section("Examples", lines, page));
  }
  const codes = exitCodeHelp.map(([code, meaning]) => [String(code), meaning] as const);
  parts.push(section("Exit codes", aligned(codes, page), page));
  return parts.join("\n\n") + "\n";
}

function usageOf(command: Command): string {
  const required = command.flags.filter((flag) => flag.kind !== "boolean" && flag.required).map(flagUsage);
  const positionals = command.positionals.map(({ name, optional }) => optional ? `[${name}]` : name);
  const someOptional = command.flags.length > required.length;
  return [...positionals, ...required, ...(someOptional ? ["[FLAGS]"] : [])].join(" ");
}

function flagUsage(flag: FlagSpec): string {
  return flag.kind === "boolean" ? `--${flag.name}` : `--${flag.name} ${flag.valueName}`;
}

function flagName(flag: FlagSpec): string {
  return `${flag.short ? `-${flag.short}, ` : "    "}${flagUsage(flag)}`;
}

function flagHelp(flag: FlagSpec): string {
  const notes: string[] = [];
  if (flag.kind === "choice") notes.push(flag.choices.join(", "));
  if (flag.kind !== "boolean") {
    if (flag.required) notes.push("required");
    if (flag.default !== undefined && flag.default !== "") notes.push(`default: ${flag.default}`);
  }
  if (flag.env) notes.push(`env: ${flag.env}`);
  return notes.length === 0 ? flag.help : `${flag.help} [${notes.join("; ")}]`;
}

function section(title: string, lines: readonly string[], page: Page): string {
  const indented = lines.map((line) => line === "" ? "" : `  ${line}`);
  return [page.style("bold", `${title}:`), ...indented].join("\n");
}

/** Two columns, the second one wrapped. */
function aligned(rows: readonly (readonly [string, string])[], page: Page): string[] {
  const first = Math.max(...rows.map(([name]) => name.length)) + 2;
  // A narrow terminal wraps by itself rather than get a column of single words.
  const second = Math.max(textWidth(page) - first - 2, 30);
  return rows.flatMap(([name, help]) =>
    wrap(help, second).map((line, index) => (index === 0 ? name : "").padEnd(first) + line)
  );
}

function textWidth(page: Page): number {
  return Math.min(page.width, widest);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
