import { defineCommand } from "./command.ts";
import { pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";

/** The command `weft metrics`. */
export const metricsCommand = defineCommand({
  name: "metrics",
  summary: "print the agent's metrics in the Prometheus text format",
  description:
    "The same text is at /metrics on the agent's UNIX socket. Nothing listens on the network: let a collector that is on " +
    "this node read the socket, or write what this prints where a text-file collector finds it.",
  flags: [pinRootFlag, socketFlag],
  positionals: [],
  examples: [{ command: "weft metrics | grep record", help: "the record pool's" }],
  async run(context) {
    const [{ runtimePaths }, { fetchAgent }] = await Promise.all([
      import("../agent/runtime_paths.ts"),
      import("../observe/admin_client.ts"),
    ]);
    const { flags } = context;
    const root = flags["pin-root"].replace(/(?<=.)\/+$/, "");
    context.stdout.write(await fetchAgent(runtimePaths(root, flags.socket).socket, "/metrics"));
    return exitCodes.ok;
  },
});
