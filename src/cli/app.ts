/** The frame around all commands: from arguments to an exit code. */

import type { Command, CommandContext } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import { findCommand } from "./find_command.ts";
import { asksForHelp, parseArguments } from "./flags.ts";
import { renderCommandHelp, renderOverview } from "./help.ts";
import { createHelpCommand } from "./help_command.ts";
import { reportError } from "./report_error.ts";
import { UsageError } from "./user_error.ts";

/** What the process around it offers. */
export interface AppContext extends Pick<CommandContext, "stdout" | "stderr" | "stdinIsTerminal" | "signal"> {
  /** Looks up an environment variable. */
  readonly env: (name: string) => string | undefined;
}

/**
 * Runs the command that the arguments name.
 *
 * @param commands all commands but `help`, in the order in which help lists them
 * @param args without the program's name
 * @returns the exit code; every error is told on `context.stderr`
 */
export async function runApp(
  commands: readonly Command[],
  args: readonly string[],
  context: AppContext,
): Promise<number> {
  try {
    return await dispatch([...commands, createHelpCommand(commands)], args, context);
  } catch (error) {
    // As other programs end by SIGPIPE: `weft services | head` is no error.
    if (error instanceof Deno.errors.BrokenPipe) return exitCodes.brokenPipe;
    return reportError(error, { stderr: context.stderr, debug: context.env("WEFT_DEBUG") === "1" });
  }
}

async function dispatch(
  commands: readonly Command[],
  [first, ...rest]: readonly string[],
  context: AppContext,
): Promise<number> {
  const { stdout, stderr, stdinIsTerminal, signal, env } = context;
  if (first === undefined || first === "--help" || first === "-h") {
    stdout.write(renderOverview(commands, stdout));
    return exitCodes.ok;
  }
  if (first === "--version") return await dispatch(commands, ["version", ...rest], context);
  if (first.startsWith("-")) {
    throw new UsageError(
      `unknown flag ${first.replace(/=.*/s, "")} before the command`,
      "write: weft COMMAND [FLAGS]",
    );
  }
  const command = await findCommand(commands, first);
  if (asksForHelp(rest)) {
    stdout.write(renderCommandHelp(command, stdout));
    return exitCodes.ok;
  }
  const { flags, args } = await parseArguments(command, rest, env);
  return await command.run({ flags, args, stdout, stderr, stdinIsTerminal, signal });
}
