/** Other programs, run to their end. */

import { HostError } from "./host_error.ts";

/** A command failed: the message has the command and what it said. */
export class CommandError extends Error {
  override readonly name = "CommandError";

  constructor(
    readonly command: readonly string[],
    readonly status: Deno.CommandStatus,
    readonly said: string,
  ) {
    const how = status.signal === null ? `exit code ${status.code}` : status.signal;
    super(`${command.join(" ")}: ${how}${said.trim() === "" ? "" : `: ${said.trim()}`}`);
  }
}

/** What `spawn` threw, in words where the program is missing. */
export function commandNotFound(error: unknown, command: readonly string[]): unknown {
  if (!(error instanceof Deno.errors.NotFound)) return error;
  return new HostError(`the program ${command[0]} is not installed`, "install the package that has it", {
    cause: error,
  });
}

/**
 * Runs a command to its end.
 *
 * @param input what it reads from its standard input @default nothing
 * @returns its standard output
 * @throws {CommandError} where its exit code is not 0
 */
export async function run(
  command: readonly string[],
  input: string | Uint8Array<ArrayBuffer> = "",
): Promise<string> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command[0], {
      args: command.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    throw commandNotFound(error, command);
  }
  const feed = new Blob([input]).stream().pipeTo(child.stdin).catch(() => {}); // it may end before it has read all
  const [output] = await Promise.all([child.output(), feed]);
  const text = new TextDecoder();
  if (!output.success) throw new CommandError(command, output, text.decode(output.stderr));
  return text.decode(output.stdout);
}
