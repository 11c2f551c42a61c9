import { ask } from "./ask.ts";
import { defineCommand } from "./command.ts";
import { pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import { renderTable } from "./table.ts";

/** The command `weft services`. */
export const servicesCommand = defineCommand({
  name: "services",
  summary: "list the services that the kernel serves",
  description:
    "One line a service: its VIPs and ports, how many endpoints may be chosen out of how many members, how many " +
    "connections it got and how many were refused. As the agent and the kernel have it, not the file.",
  flags: [outputFlag, pinRootFlag, socketFlag],
  positionals: [],
  examples: [{ command: "weft services", help: "what is balanced, and what is not and why" }],
  async run(context) {
    const { servicesResponse } = await import("../observe/api.ts");
    const services = await ask(context.flags, "/services", servicesResponse);
    await printOutput(context, context.flags.output, services, () =>
      renderTable(
        ["SERVICE", "VIPS", "PORTS", "ENDPOINTS", "CONNECTIONS", "REFUSED", "NOTE"],
        services.map((service) => [
          service.service,
          service.vips.join(" "),
          service.ports.map(({ port, targetPort }) => `${port}→${targetPort || "own"}`).join(" "),
          `${service.usable}/${service.members}`,
          service.connections,
          service.refused,
          service.note && { text: service.note, style: "yellow" },
        ]),
        context.stdout.style,
      ));
    return exitCodes.ok;
  },
});
