import { defineCommand } from "./command.ts";
import { pinRootFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { UserError } from "./user_error.ts";

/** The command `weft detach`. */
export const detachCommand = defineCommand({
  name: "detach",
  summary: "take weft out of the kernel: programs, links, maps, per-socket state",
  description:
    "Removes everything that an agent with this pin root left in the kernel. Connections that are open go on; " +
    "new ones to a VIP go where the network sends them. A running agent must be stopped first.",
  flags: [pinRootFlag],
  positionals: [],
  examples: [{ command: "weft detach", help: "after systemctl stop weft" }],
  async run(context) {
    const [{ detachAll, runtimePaths }, { pinPaths }, { closeFd, lockFile, openShim }] = await Promise.all([
      import("../agent/mod.ts"),
      import("../dataplane/mod.ts"),
      import("../../ffi/mod.ts"),
    ]);
    if (Deno.uid() !== 0) throw new UserError("weft detach needs root", "run it with sudo");
    const pinRoot = context.flags["pin-root"].replace(/(?<=.)\/+$/, "");
    const shim = openShim();
    const runtime = runtimePaths(pinRoot);
    Deno.mkdirSync(runtime.directory, { recursive: true, mode: 0o700 });
    const lock = lockFile(shim, runtime.lock);
    if (lock === undefined) {
      throw new UserError(
        `an agent runs with the pin root ${pinRoot}`,
        "stop it first (its pid: weft status)",
      );
    }
    const paths = pinPaths(pinRoot);
    const count = detachAll(shim, paths);
    closeFd(shim, lock);
    Deno.removeSync(runtime.lock);
    context.stdout.write(
      count === 0 ? `nothing was attached below ${pinRoot}\n` : `detached ${count} programs\n`,
    );
    return exitCodes.ok;
  },
});
