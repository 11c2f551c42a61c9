import { defineCommand } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import { version } from "./version.ts";

/** The command `weft version`. */
export const versionCommand = defineCommand({
  name: "version",
  summary: "show which weft this is",
  description:
    "Prints weft's version. With -o json or yaml also the runtime inside it and what it was built for.",
  flags: [outputFlag],
  positionals: [],
  examples: [{ command: "weft version -o json", help: "for a bug report" }],
  async run(context) {
    const value = { version, deno: Deno.version.deno, target: Deno.build.target };
    await printOutput(context, context.flags.output, value, () => `weft ${version}\n`);
    return exitCodes.ok;
  },
});
