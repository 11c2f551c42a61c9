import { type Command, shown } from "./command.ts";
import { suggest } from "./suggest.ts";
import { UsageError } from "./user_error.ts";

/**
 * The command of that name.
 *
 * @throws {UsageError} where there is none, with what was probably meant
 */
export async function findCommand(commands: readonly Command[], name: string): Promise<Command> {
  const command = commands.find((candidate) => candidate.name === name);
  if (command) return command;
  const meant = await suggest(name, shown(commands).map((candidate) => candidate.name));
  throw new UsageError(
    `unknown command "${name}"`,
    meant ? `did you mean weft ${meant}?` : "run weft --help for the list of commands",
  );
}
