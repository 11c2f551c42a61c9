import { type Command, defineCommand } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import { renderCommandHelp, renderOverview } from "./help.ts";
import { findCommand } from "./find_command.ts";

/**
 * The command `weft help`.
 *
 * @param commands all others
 */
export function createHelpCommand(commands: readonly Command[]): Command {
  const help: Command = defineCommand({
    name: "help",
    summary: "explain weft or one of its commands",
    description: "Without a name it lists the commands; with one it says what weft NAME --help says.",
    flags: [],
    positionals: [{ name: "COMMAND", help: "what to explain", optional: true }],
    examples: [{ command: "weft help run", help: "what weft run does, with all of its flags" }],
    async run({ args, stdout }) {
      const all = [...commands, help];
      stdout.write(
        args.COMMAND === undefined
          ? renderOverview(all, stdout)
          : renderCommandHelp(await findCommand(all, args.COMMAND), stdout),
      );
      return exitCodes.ok;
    },
  });
  return help;
}
