import type { Explanation } from "../explain/mod.ts";
import { ask } from "./ask.ts";
import { defineCommand } from "./command.ts";
import { pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { nodeFlags, nodeOptions } from "./node_flags.ts";
import { outputFlag, printOutput } from "./output.ts";
import { limitSentence, policyWords } from "./port_words.ts";
import { type Cell, renderTable } from "./table.ts";
import type { TextOutput } from "./text_output.ts";
import { UsageError } from "./user_error.ts";

/** The command `weft explain`. */
export const explainCommand = defineCommand({
  name: "explain",
  summary: "say where a connection from this node would go, and why",
  description:
    "Asks the agent, or with --mesh answers from a file alone: without root, agent or kernel, for testing a mesh before it " +
    "is used. The outcome is one of: endpoints (to one of those listed, with their shares), none (refused, with the reason: " +
    "where a limit of connections is reached, the endpoints are those that serve once there is a place), passthrough (a " +
    "service owns the address, and the destination stays as it is), unknown (nothing in the mesh owns it; it stays as it " +
    "is). The exit code is 0 for every answer.\n\n" +
    "The flags that say where the node is belong to --mesh; an agent knows where it is. --node is then empty where left out.",
  flags: [
    outputFlag,
    {
      kind: "string",
      name: "mesh",
      valueName: "FILE",
      help: "answer from this mesh file instead of asking the agent",
    },
    { kind: "boolean", name: "udp", help: "a UDP connect or datagram instead of a TCP connect" },
    ...nodeFlags,
    pinRootFlag,
    socketFlag,
  ],
  positionals: [{
    name: "ADDRESS:PORT",
    help: "what the application connects to; IPv6 in brackets",
    required: true,
  }],
  examples: [
    { command: "weft explain 10.96.0.1:80", help: "where does it go from here, now?" },
    {
      command: "weft explain 10.96.0.1:80 --mesh mesh.yaml --zone a -o json",
      help: "in CI: what would a node in zone a do?",
    },
  ],
  async run(context) {
    const { flags, args } = context;
    const { parseDestination } = await import("../explain/mod.ts");
    const text = args["ADDRESS:PORT"]!;
    const to = parseDestination(text);
    if (!to) throw new UsageError(`${text} is not ADDRESS:PORT`, "such as 10.96.0.1:80 or [fd00::1]:80");
    const protocol = flags.udp ? "UDP" : "TCP";
    const answer: Explanation = flags.mesh === undefined
      ? await askAgent(flags, text, protocol)
      : await fromFile(flags.mesh, nodeOptions(flags, ""), to, protocol, context.stderr);
    await printOutput(context, flags.output, answer, () => render(answer, context.stdout));
    return exitCodes.ok;
  },
});

async function askAgent(
  flags: Parameters<typeof ask>[0] & Parameters<typeof nodeOptions>[0],
  to: string,
  protocol: string,
): Promise<Explanation> {
  const given = nodeFlags.find(({ name, env }) =>
    flags[name] !== undefined && flags[name] !== Deno.env.get(env)
  );
  if (given) {
    throw new UsageError(`--${given.name} goes with --mesh`, "the agent knows where it is: leave it out");
  }
  const { explainResponse } = await import("../observe/api.ts");
  return await ask(flags, `/explain?${new URLSearchParams({ to, protocol })}`, explainResponse);
}

async function fromFile(
  path: string,
  node: ReturnType<typeof nodeOptions>,
  to: { readonly address: string; readonly port: number },
  protocol: "TCP" | "UDP",
  stderr: TextOutput,
): Promise<Explanation> {
  const [{ readMeshFile }, { explain }, { createNodeFinder }, { emptySnapshot, replaceMesh }] = await Promise
    .all([
      import("../config/mod.ts"),
      import("../explain/mod.ts"),
      import("../locality/mod.ts"),
      import("../mesh/mod.ts"),
    ]);
  const { mesh } = await readMeshFile(path);
  const snapshot = replaceMesh(emptySnapshot(), mesh);
  const finder = createNodeFinder(node);
  const place = finder.place(snapshot);
  if (finder.warning) stderr.write(`weft: ${finder.warning}\n`);
  return explain(to, { snapshot, place, protocol, workloads: mesh.workloads });
}

function render(answer: Explanation, out: TextOutput): string {
  const { outcome, reason, service, mode, refused, node, endpoints, standby, excluded } = answer;
  const colour = outcome === "none" ? "red" : outcome === "endpoints" ? "green" : "yellow";
  /** What there is nothing to say of has no line. */
  const head: [string, string][] = [
    ["outcome", out.style(colour, outcome)],
    ["reason", reason],
    ["service", service ?? ""],
    ["mode", mode ?? ""],
    ["policy", policyWords(answer)],
    ["limit", limitSentence(answer)],
    ["refused", refused ? `${refused} so far` : ""],
    ["from", words(node)],
  ];
  const rows: Cell[][] = [
    ...endpoints.map((one): Cell[] => [one.tier, one.uid, one.address, one.port, one.share, ""]),
    ...standby.map((one): Cell[] => [one.tier, one.uid, one.address, one.port, "", "standby"]),
    ...excluded.map((one): Cell[] => ["", one.uid, "", "", "", { text: one.reason, style: "yellow" }]),
  ];
  const table = rows.length === 0
    ? ""
    : `\n${renderTable(["TIER", "WORKLOAD", "ADDRESS", "PORT", "SHARE", "NOTE"], rows, out.style)}`;
  const lines = head.filter(([, text]) => text !== "").map(([name, text]) => `${name.padEnd(12)}${text}\n`);
  return lines.join("") + table;
}

/** What is known of the node's place. */
function words(node: Explanation["node"]): string {
  const { clusterId: cluster, ...rest } = node;
  const known = Object.entries({ ...rest, cluster }).filter(([, value]) => value !== "");
  return known.map(([name, value]) => `${name} ${value}`).join(", ") || "a node of which nothing is known";
}
