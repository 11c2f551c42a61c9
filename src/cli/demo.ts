import { defineCommand } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import { Interrupted } from "./interrupted.ts";

/** The command `weft demo`. */
export const demoCommand = defineCommand({
  name: "demo",
  summary: "watch weft balance real traffic in a small world of its own",
  description:
    "Makes network namespaces for a client and four backends in two zones, runs an agent for a cgroup of its own, " +
    "sends real TCP and UDP traffic through a VIP, and shows where it goes while the mesh file changes, all backends " +
    "fail, and the agent is killed. Each act is checked by the traffic itself; the exit code is 0 only when all " +
    "went as the mesh file says.\n\n" +
    "It runs beside a live agent and touches nothing of this host's network. Everything it makes is removed at the " +
    "end, also on Ctrl-C; what a killed demo left is removed by the next one. Needs root and iproute2.",
  flags: [
    {
      kind: "integer",
      name: "seconds",
      valueName: "N",
      minimum: 1,
      maximum: 3600,
      default: 20,
      help: "about how long it may take; about 10 are needed",
    },
  ],
  positionals: [],
  examples: [{ command: "weft demo", help: "twenty seconds that explain weft" }],
  async run(context) {
    const { createStage, drawSummary, playDemo } = await import("../demo/mod.ts");
    const { stdout, stderr, signal } = context;
    const page = { width: stdout.width, paint: stdout.style };
    const canRedraw = stdout.isTerminal && Deno.env.get("TERM") !== "dumb";
    const stage = createStage({ ...page, canRedraw, write: (text) => stdout.write(text) });
    try {
      const report = await playDemo({ seconds: context.flags.seconds, stage }, signal);
      stdout.write(["", ...drawSummary(report, page), ""].join("\n"));
      return report.results.every(({ problem }) => problem === undefined) ? exitCodes.ok : exitCodes.failed;
    } catch (error) {
      if (error instanceof Interrupted) stderr.write("weft demo: interrupted; all that it made is removed\n");
      throw error;
    }
  },
});
