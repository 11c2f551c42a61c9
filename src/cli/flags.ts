/** From a command's arguments and environment to checked values. */

import { parseArgs } from "@std/cli/parse-args";
import type { Command, FlagSpec, PositionalSpec } from "./command.ts";
import { parseDuration } from "./duration.ts";
import { suggest } from "./suggest.ts";
import { UsageError } from "./user_error.ts";

/** A command line that makes sense. */
export interface ParsedArguments {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly args: Readonly<Record<string, string | undefined>>;
}

/** Every command has it, and it wins over all else. */
export const helpFlag: FlagSpec = { kind: "boolean", name: "help", short: "h", help: "show this help" };

/** Whether help is asked for anywhere among the flags. */
export function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? undefined : end).some((arg) => arg === "--help" || arg === "-h");
}

/**
 * Reads what follows the command's name.
 *
 * @param env looks a variable up; it stands in for a flag that is not given
 * @throws {UsageError} for what is unknown, missing, given twice or malformed
 */
export async function parseArguments(
  command: Command,
  args: readonly string[],
  env: (name: string) => string | undefined,
): Promise<ParsedArguments> {
  const remedy = `run: weft ${command.name} --help`;
  const specs = command.flags;
  const names = specs.map((flag) => flag.name);
  const unknown: string[] = [];
  const parsed = parseArgs(spellOut(specs, args), {
    string: ["_", ...specs.filter((flag) => flag.kind !== "boolean").map((flag) => flag.name)],
    boolean: specs.filter((flag) => flag.kind === "boolean").map((flag) => flag.name),
    collect: names,
    unknown: (arg, key) => {
      if (key === undefined) return true;
      unknown.push(arg.startsWith("--") ? arg.replace(/=.*/s, "") : `-${key}`);
      return false;
    },
  });
  if (unknown.length > 0) throw await unknownFlag(command, unknown[0]);

  const flags: Record<string, unknown> = {};
  for (const flag of specs) {
    const given = parsed[flag.name] as unknown[];
    if (given.length > 1) {
      throw new UsageError(`--${flag.name} is given ${given.length} times`, "give it once");
    }
    flags[flag.name] = given.length === 1
      ? readFlag(flag, given[0], args, remedy)
      : readUngivenFlag(flag, env, remedy);
  }
  return { flags, args: nameArguments(command.positionals, parsed._.map(String), remedy) };
}

/**
 * Spells flags in the way that `parseArgs` can only read as they are meant: the long name for the letter, `=true` behind a
 * boolean, which would otherwise swallow an argument that happens to be `true` or `false`, and `=` for an empty value, which
 * would otherwise be an argument.
 */
function spellOut(specs: readonly FlagSpec[], args: readonly string[]): string[] {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const isEmptyValue = (index: number) =>
    args[index] === "" &&
    specs.some((spec) => spec.kind !== "boolean" && args[index - 1] === `--${spec.name}`);
  return args.flatMap((arg, index) => {
    if (index >= end) return arg;
    if (isEmptyValue(index)) return [];
    if (isEmptyValue(index + 1)) return `${arg}=`;
    const [, letter, value] = arg.match(/^-([A-Za-z])=?(.*)$/s) ?? [];
    const flag = specs.find((spec) =>
      arg === `--${spec.name}` || letter !== undefined && letter === spec.short
    );
    if (flag === undefined) return arg;
    if (flag.kind === "boolean") return value ? arg : `--${flag.name}=true`;
    return value ? `--${flag.name}=${value}` : `--${flag.name}`;
  });
}

async function unknownFlag(command: Command, flag: string): Promise<UsageError> {
  const known = [...command.flags, helpFlag].map((spec) => spec.name);
  const meant = flag.startsWith("--") ? await suggest(flag.slice(2), known) : undefined;
  return new UsageError(
    `unknown flag ${flag} for weft ${command.name}`,
    meant ? `did you mean --${meant}?` : `run: weft ${command.name} --help`,
  );
}

function readFlag(flag: FlagSpec, given: unknown, args: readonly string[], remedy: string): unknown {
  if (flag.kind === "boolean") {
    // parseArgs takes every value but "false" for true.
    const written = args.find((arg) => arg.startsWith(`--${flag.name}=`))?.slice(flag.name.length + 3);
    if (written !== undefined && written !== "true" && written !== "false") {
      throw new UsageError(`--${flag.name} takes no value, got "${written}"`, remedy);
    }
    return given;
  }
  if (given === "" && !(mayBeEmpty(flag) && isWrittenEmpty(flag, args))) {
    throw new UsageError(
      `--${flag.name} needs a value`,
      `write --${flag.name} ${flag.valueName}, or --${flag.name}=${flag.valueName} where it begins with a dash`,
    );
  }
  return readValue(flag, String(given), `--${flag.name}`, remedy);
}

function mayBeEmpty(flag: FlagSpec): boolean {
  return flag.kind === "string" && flag.mayBeEmpty === true;
}

/** Tells `--name ""` and `--name=` from a `--name` whose value was forgotten. */
function isWrittenEmpty({ name }: FlagSpec, args: readonly string[]): boolean {
  return args.includes(`--${name}=`) || args[args.indexOf(`--${name}`) + 1] === "";
}

function readUngivenFlag(flag: FlagSpec, env: (name: string) => string | undefined, remedy: string): unknown {
  const fromEnv = flag.env === undefined ? undefined : env(flag.env);
  if (flag.kind === "boolean") {
    return fromEnv === undefined || fromEnv === "" ? false : readEnvBoolean(flag.env!, fromEnv);
  }
  if (fromEnv !== undefined && (fromEnv !== "" || mayBeEmpty(flag))) {
    return readValue(flag, fromEnv, flag.env!, remedy);
  }
  if (flag.default !== undefined) return readValue(flag, String(flag.default), `--${flag.name}`, remedy);
  if (flag.required) {
    throw new UsageError(
      `--${flag.name} is missing`,
      `give --${flag.name} ${flag.valueName}${flag.env ? ` or set ${flag.env}` : ""}`,
    );
  }
  return undefined;
}

function readEnvBoolean(variable: string, text: string): boolean {
  if (["1", "true", "yes"].includes(text)) return true;
  if (["0", "false", "no"].includes(text)) return false;
  throw new UsageError(`${variable} must be 1 or 0, got "${text}"`);
}

/** Reads a value's text; `from` names its origin in an error. */
function readValue(
  flag: Exclude<FlagSpec, { kind: "boolean" }>,
  text: string,
  from: string,
  remedy: string,
): string | number {
  switch (flag.kind) {
    case "string":
      return text;
    case "duration": {
      const milliseconds = parseDuration(text);
      if (milliseconds === undefined) {
        throw new UsageError(`${from} must be a duration such as 15s, 200ms or 1m, got "${text}"`, remedy);
      }
      return milliseconds;
    }
    case "integer": {
      const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
      const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = flag;
      if (!(value >= minimum && value <= maximum)) {
        throw new UsageError(
          `${from} must be ${describeRange(flag.minimum, flag.maximum)}, got "${text}"`,
          remedy,
        );
      }
      return value;
    }
    case "choice":
      if (!flag.choices.includes(text)) {
        throw new UsageError(`${from} must be ${oneOf(flag.choices)}, got "${text}"`, remedy);
      }
      return text;
  }
}

function describeRange(minimum?: number, maximum?: number): string {
  if (minimum !== undefined && maximum !== undefined) return `a whole number from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `a whole number, at least ${minimum}`;
  if (maximum !== undefined) return `a whole number, at most ${maximum}`;
  return "a whole number";
}

function oneOf(choices: readonly string[]): string {
  return choices.length === 1 ? choices[0] : `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
}

function nameArguments(
  positionals: readonly PositionalSpec[],
  given: readonly string[],
  remedy: string,
): Record<string, string | undefined> {
  if (given.length > positionals.length) {
    throw new UsageError(`unexpected argument "${given[positionals.length]}"`, remedy);
  }
  const missing = positionals.find((positional, index) => !positional.optional && given[index] === undefined);
  if (missing) throw new UsageError(`${missing.name} is missing: ${missing.help}`, remedy);
  return Object.fromEntries(positionals.map((positional, index) => [positional.name, given[index]]));
}
