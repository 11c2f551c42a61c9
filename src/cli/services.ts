import type { ServiceView } from "../observe/api.ts";
import { ask } from "./ask.ts";
import { byText } from "./by_text.ts";
import { defineCommand } from "./command.ts";
import { pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import { limitWords, policyWords, wordsByPort } from "./port_words.ts";
import type { Style } from "./style.ts";
import { type Cell, renderTable } from "./table.ts";

/** The command `weft services`. */
export const servicesCommand = defineCommand({
  name: "services",
  summary: "list the services that the kernel serves",
  description:
    "One line a service: its VIPs and ports, how many endpoints may be chosen out of how many members, how many " +
    "connections it got and how many were refused. Where some service has one, also how its endpoints are chosen if not at " +
    "random by weight, and how many connections there are of how many that there may be (max_connections of its cluster). " +
    "As the agent and the kernel have it, not the file.",
  flags: [outputFlag, pinRootFlag, socketFlag],
  positionals: [],
  examples: [{ command: "weft services", help: "what is balanced, and what is not and why" }],
  async run(context) {
    const { servicesResponse } = await import("../observe/api.ts");
    const services = (await ask(context.flags, "/services", servicesResponse))
      .sort((a, b) => byText(a.service, b.service));
    await printOutput(context, context.flags.output, services, () => render(services, context.stdout.style));
    return exitCodes.ok;
  },
});

/** The columns of what few services have are there where one of them has it. */
function render(services: readonly ServiceView[], style: Style): string {
  const rows = services.map((service) => ({
    service,
    policy: wordsByPort(service.ports, policyWords),
    limit: wordsByPort(service.ports, limitWords),
  }));
  const hasPolicy = rows.some(({ policy }) => policy !== "");
  const hasLimit = rows.some(({ limit }) => limit !== "");
  const header = [
    ...["SERVICE", "VIPS", "PORTS", "ENDPOINTS", "CONNECTIONS", "REFUSED"],
    ...hasPolicy ? ["POLICY"] : [],
    ...hasLimit ? ["LIMIT"] : [],
    "NOTE",
  ];
  const cells = rows.map(({ service, policy, limit }): Cell[] => [
    service.service,
    service.vips.join(" "),
    service.ports.map(({ port, targetPort }) => `${port}→${targetPort || "own"}`).join(" "),
    `${service.usable}/${service.members}`,
    service.connections,
    service.refused,
    ...hasPolicy ? [policy] : [],
    ...hasLimit ? [limit] : [],
    service.note && { text: service.note, style: "yellow" },
  ]);
  return renderTable(header, cells, style);
}
