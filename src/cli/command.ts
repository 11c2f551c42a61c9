/** What a command is: its description for people, its flags and arguments, and the function that does it. */

import type { TextOutput } from "./text_output.ts";

interface FlagBase {
  /** Long name without dashes, such as `pin-root`. */
  readonly name: string;
  /** One letter, such as `o` for `-o`. */
  readonly short?: string;
  /** What it does, in a few words; no full stop. */
  readonly help: string;
  /** Environment variable that is read where the flag is not given, such as `WEFT_PIN_ROOT`. */
  readonly env?: string;
}

interface ValueFlagBase extends FlagBase {
  /** Stands for the value in help texts, such as `PATH`. */
  readonly valueName: string;
  /** Whether the command makes no sense without it. @default {false} */
  readonly required?: boolean;
}

/** One flag. A `duration` is given as `15s` or `200ms` and handed over in milliseconds. */
export type FlagSpec =
  | FlagBase & { readonly kind: "boolean" }
  | ValueFlagBase & {
    readonly kind: "string";
    readonly default?: string;
    /** Whether nothing (`--name ""`, `--name=`, an empty variable) is a value like any other. @default {false} */
    readonly mayBeEmpty?: boolean;
  }
  | ValueFlagBase & { readonly kind: "duration"; readonly default?: string }
  | ValueFlagBase & {
    readonly kind: "integer";
    readonly default?: number;
    readonly minimum?: number;
    readonly maximum?: number;
  }
  | ValueFlagBase & {
    readonly kind: "choice";
    readonly choices: readonly string[];
    readonly default?: string;
  };

/** One argument that is no flag; what is not optional must be given. */
export interface PositionalSpec {
  /** In capitals, such as `SERVICE`. */
  readonly name: string;
  readonly help: string;
  /** @default {false} */
  readonly optional?: boolean;
}

/** A command line that does something useful, and what. */
export interface Example {
  /** Such as `weft run --mesh mesh.yaml`. */
  readonly command: string;
  readonly help: string;
}

type ValueOf<F extends FlagSpec> = F extends { kind: "boolean" } ? boolean
  : F extends { kind: "duration" | "integer" } ? number
  : F extends { kind: "choice"; choices: readonly (infer Choice)[] } ? Choice
  : string;

type Given<F extends FlagSpec> = F extends { kind: "boolean" } | { required: true } ? ValueOf<F>
  : F extends { default: string | number } ? ValueOf<F>
  : ValueOf<F> | undefined;

/** The flags' values by name. */
export type FlagValues<Flags extends readonly FlagSpec[]> = {
  readonly [F in Flags[number] as F["name"]]: Given<F>;
};

/** The arguments' values by name. */
export type ArgValues<Positionals extends readonly PositionalSpec[]> = {
  readonly [P in Positionals[number] as P["name"]]: P extends { optional: true } ? string | undefined
    : string;
};

/** What a command works with. */
export interface CommandContext<
  Flags = Readonly<Record<string, unknown>>,
  Args = Readonly<Record<string, unknown>>,
> {
  readonly flags: Flags;
  readonly args: Args;
  /** Results go here. */
  readonly stdout: TextOutput;
  /** Everything else that people should see. */
  readonly stderr: TextOutput;
  /** Whether a person sits at standard input. */
  readonly stdinIsTerminal: boolean;
  /** Aborts on SIGINT and SIGTERM; its reason is then an `Interrupted`, which says which of them it was. */
  readonly signal: AbortSignal;
}

/** A command as the frame sees it. */
export interface Command {
  readonly name: string;
  /** Left out of lists and suggestions: weft itself starts it. @default {false} */
  readonly hidden?: boolean;
  /** One line for the list of commands; no full stop. */
  readonly summary: string;
  /** A paragraph or two: what it does, what it changes, what it leaves alone. */
  readonly description: string;
  /** What follows `weft NAME` in the usage line; made from flags and arguments where it is left out. */
  readonly usage?: string;
  readonly flags: readonly FlagSpec[];
  readonly positionals: readonly PositionalSpec[];
  readonly examples: readonly Example[];
  /**
   * Does it and answers with an exit code (see `exitCodes`). What few commands need should be imported inside, so that
   * `weft --help` does not wait for it.
   */
  run(context: CommandContext): Promise<number>;
}

/** The commands that people are told of. */
export function shown(commands: readonly Command[]): Command[] {
  return commands.filter((command) => !command.hidden);
}

/** A command as its file writes it: `context.flags` and `context.args` have the types that the lists say. */
export interface CommandDefinition<
  Flags extends readonly FlagSpec[],
  Positionals extends readonly PositionalSpec[],
> extends Omit<Command, "flags" | "positionals" | "run"> {
  readonly flags: Flags;
  readonly positionals: Positionals;
  run(context: CommandContext<FlagValues<Flags>, ArgValues<Positionals>>): Promise<number>;
}

/** Makes a command from its definition. */
export function defineCommand<
  const Flags extends readonly FlagSpec[],
  const Positionals extends readonly PositionalSpec[],
>(definition: CommandDefinition<Flags, Positionals>): Command {
  return {
    ...definition,
    // The frame fills both records from the very lists that their types are made from.
    run: (context) => definition.run(context as CommandContext<FlagValues<Flags>, ArgValues<Positionals>>),
  };
}
