import { defineCommand } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import { Interrupted } from "./interrupted.ts";
import { UsageError } from "./user_error.ts";

/** The command `weft demo-peer`, which only `weft demo` starts. */
export const demoPeerCommand = defineCommand({
  name: "demo-peer",
  hidden: true,
  summary: "be one of the demo's processes",
  description: "weft demo starts this command in its namespaces. It ends when its standard input does.",
  flags: [],
  positionals: [
    { name: "ROLE", help: "backend or client" },
    { name: "NAME", help: "the backend's name", optional: true },
    { name: "PORT", help: "the port that the backend listens on", optional: true },
  ],
  examples: [],
  async run({ args, signal }) {
    const { runBackend, runClient } = await import("../demo/peer.ts");
    const ended = new AbortController();
    signal.addEventListener("abort", () => {
      // A terminal's Ctrl-C is meant for the demo, which goes on needing its peers until it ends them.
      if (!(signal.reason instanceof Interrupted && signal.reason.signal === "SIGINT")) ended.abort();
    });
    if (args.ROLE === "client") {
      await runClient(ended.signal);
    } else if (args.ROLE === "backend" && args.NAME !== undefined && args.PORT !== undefined) {
      await runBackend(args.NAME, Number(args.PORT), ended.signal);
    } else {
      throw new UsageError("weft demo-peer is for weft demo only", "run: weft demo");
    }
    return exitCodes.ok;
  },
});
