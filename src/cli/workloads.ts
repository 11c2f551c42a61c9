import { ask } from "./ask.ts";
import { byText } from "./by_text.ts";
import { defineCommand } from "./command.ts";
import { pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import { renderTable } from "./table.ts";

/** The command `weft workloads`. */
export const workloadsCommand = defineCommand({
  name: "workloads",
  summary: "list the workloads that the agent knows",
  description:
    "One line a workload: its addresses, where it is, its health and capacity, and the services it is part of.",
  flags: [outputFlag, pinRootFlag, socketFlag],
  positionals: [],
  examples: [{ command: "weft workloads -o json", help: "for scripts" }],
  async run(context) {
    const { workloadsResponse } = await import("../observe/api.ts");
    const workloads = (await ask(context.flags, "/workloads", workloadsResponse))
      .sort((a, b) => byText(a.uid, b.uid));
    await printOutput(context, context.flags.output, workloads, () =>
      renderTable(
        ["UID", "ADDRESSES", "NETWORK", "NODE", "LOCALITY", "STATUS", "CAPACITY", "SERVICES"],
        workloads.map((workload) => [
          workload.uid,
          workload.addresses.join(" "),
          workload.network,
          workload.node,
          workload.locality,
          workload.status === "Healthy" ? workload.status : { text: workload.status, style: "red" },
          workload.capacity,
          workload.services.join(" "),
        ]),
        context.stdout.style,
      ));
    return exitCodes.ok;
  },
});
