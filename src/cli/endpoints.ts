import type { EndpointsResponse } from "../observe/api.ts";
import { ask } from "./ask.ts";
import { byText } from "./by_text.ts";
import { defineCommand } from "./command.ts";
import { pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import { limitSentence, policyWords } from "./port_words.ts";
import { renderTable } from "./table.ts";

/** The command `weft endpoints`. */
export const endpointsCommand = defineCommand({
  name: "endpoints",
  summary: "show one service's endpoints: which are chosen, how often, and who is kept out",
  description:
    "For each port and address family of the service: its endpoints with tier, weight, health, the share of " +
    "connections that the kernel gives each (read from the kernel's own record), how many connections each got, and " +
    "which are set aside until when and why; and the members that are kept out, each with the reason. Before them the ports " +
    "whose endpoints are not chosen at random by weight, or whose connections are limited, with how many there are.",
  flags: [outputFlag, pinRootFlag, socketFlag],
  positionals: [{
    name: "SERVICE",
    help: "NAMESPACE/HOSTNAME, or a hostname or name that only one service has",
  }],
  examples: [{ command: "weft endpoints shop/web.shop.mesh.test", help: "where do its connections go?" }],
  async run(context) {
    const { endpointsResponse } = await import("../observe/api.ts");
    const path = `/endpoints?service=${encodeURIComponent(context.args.SERVICE)}`;
    const told = await ask(context.flags, path, endpointsResponse);
    const answer = { ...told, endpoints: told.endpoints.toSorted(byPlace) };
    await printOutput(context, context.flags.output, answer, () => {
      const title = answer.note ? `${answer.service}: ${answer.note}\n` : "";
      const table = renderTable(
        [
          "PORT",
          "FAMILY",
          "TIER",
          "ENDPOINT",
          "WORKLOAD",
          "WEIGHT",
          "HEALTH",
          "SHARE",
          "CONNECTIONS",
          "STATE",
        ],
        answer.endpoints.map((endpoint) => [
          endpoint.port,
          endpoint.family,
          endpoint.tier,
          endpoint.endpoint,
          endpoint.uid,
          endpoint.weight,
          endpoint.health,
          `${(endpoint.share * 100).toFixed(1)}%`,
          endpoint.connections,
          endpoint.state === "serving" ? endpoint.state : { text: stateWords(endpoint), style: "yellow" },
        ]),
        context.stdout.style,
      );
      return title + portLines(answer.ports) + table;
    });
    return exitCodes.ok;
  },
});

type Endpoint = EndpointsResponse["endpoints"][number];

/** Those of one tier together, the nearest first, and last who is kept out; who they are within it. */
export function byPlace(a: Endpoint, b: Endpoint): number {
  return Number(a.tier === null) - Number(b.tier === null) || a.port - b.port ||
    byText(a.family, b.family) || (a.tier ?? 0) - (b.tier ?? 0) || byText(a.uid, b.uid) ||
    byText(a.endpoint, b.endpoint);
}

/** A line for each port that has a policy or a limit to tell of. */
function portLines(ports: EndpointsResponse["ports"]): string {
  return ports.map((port) => {
    const words = [policyWords(port), limitSentence(port)].filter((word) => word !== "");
    return words.length === 0 ? "" : `port ${port.port}: ${words.join(", ")}\n`;
  }).join("");
}

/** Its state; of one that is set aside also until when and why. */
function stateWords({ state, setAside }: Pick<Endpoint, "state" | "setAside">): string {
  if (setAside === null) return state;
  const { until, failures, how, times } = setAside;
  const at = new Date(until);
  const seconds = Math.max(0, Math.ceil((at.getTime() - Date.now()) / 1000));
  const again = times > 1 ? `, ${times} times in a row` : "";
  const connects = failures === 1 ? "a connect failed" : `${failures} connects in a row failed`;
  return `${state} until ${
    at.toTimeString().slice(0, 8)
  } (${seconds} s${again}): ${connects}, the last one ${how}`;
}
