import type { StatusResponse } from "../observe/api.ts";
import { defineCommand } from "./command.ts";
import { cgroupFlag, pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import { type Cell, renderTable } from "./table.ts";
import type { TextOutput } from "./text_output.ts";
import { UserError } from "./user_error.ts";

/** The command `weft status`. */
export const statusCommand = defineCommand({
  name: "status",
  summary: "show whether weft serves: agent, programs, maps, last flush, errors",
  description:
    "Reads the kernel and the agent, not the mesh file. The exit code is 0 only when an agent runs, its programs " +
    "are attached and the first configuration is in the kernel. Without an agent it shows what the kernel still serves.",
  flags: [
    outputFlag,
    {
      kind: "duration",
      name: "wait",
      valueName: "TIME",
      default: "0s",
      help: "wait so long for it to become ready",
    },
    pinRootFlag,
    cgroupFlag,
    socketFlag,
  ],
  positionals: [],
  examples: [
    { command: "weft status --wait 15s", help: "after starting the agent: is it ready?" },
    { command: "weft status -o json", help: "for monitoring" },
  ],
  async run(context) {
    const { flags, signal } = context;
    const deadline = performance.now() + flags.wait;
    const ask = await asker(flags["pin-root"], flags.socket, flags.cgroup);
    let status = await ask();
    while (!status.ready && performance.now() < deadline && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      status = await ask();
    }
    signal.throwIfAborted();
    await printOutput(context, flags.output, status, () => renderStatus(status, context.stdout));
    return status.ready ? exitCodes.ok : exitCodes.failed;
  },
});

/** Asks the agent, or the kernel where none runs. */
async function asker(
  pinRoot: string,
  socket: string | undefined,
  cgroup: string | undefined,
): Promise<() => Promise<StatusResponse>> {
  const [{ runtimePaths }, { AgentNotRunning, askAgent }, { statusResponse }] = await Promise.all([
    import("../agent/runtime_paths.ts"),
    import("../observe/admin_client.ts"),
    import("../observe/api.ts"),
  ]);
  const root = pinRoot.replace(/(?<=.)\/+$/, "");
  const runtime = runtimePaths(root, socket);
  return async () => {
    try {
      return await askAgent(runtime.socket, "/status", statusResponse);
    } catch (error) {
      if (!(error instanceof AgentNotRunning)) throw error;
    }
    if (Deno.uid() !== 0) {
      throw new UserError(`no agent answers at ${runtime.socket}`, "run this as root to ask the kernel");
    }
    const [{ openShim }, { statusWithoutAgent }, { pinPaths }] = await Promise.all([
      import("../../ffi/mod.ts"),
      import("../observe/kernel_status.ts"),
      import("../dataplane/mod.ts"),
    ]);
    return statusWithoutAgent(openShim(), pinPaths(root), cgroup ?? "");
  };
}

/** Where the node is: what is empty is left out. */
function nodeWords(agent: NonNullable<StatusResponse["agent"]>): string {
  const { node, network, clusterId, region, zone, subzone } = agent;
  const locality = [region, zone, subzone].join("/").replace(/\/+$/, "");
  return [
    node,
    locality && `locality ${locality}`,
    network && `network ${network}`,
    clusterId && `cluster ${clusterId}`,
  ].filter((word) => word !== "").join(", ");
}

type ControlPlane = NonNullable<StatusResponse["controlPlane"]>;

function streamWords({ mode, connected, since, streams, error, complete }: ControlPlane): string {
  return [
    `mode ${mode}`,
    connected ? `connected since ${since}` : `not connected since ${since}`,
    `${streams} ${streams === 1 ? "stream" : "streams"} so far`,
    ...complete ? [] : ["not everything has come yet"],
    ...error === null ? [] : [`the last one ended: ${error}`],
  ].join(", ");
}

function typesTable({ types }: ControlPlane, { style }: TextOutput): string {
  return renderTable(
    ["TYPE", "RESOURCES", "VERSION", "RESPONSES", "NACKS", "LAST RECEIVED"],
    types.map((one): Cell[] => [
      one.type,
      one.resources,
      one.version,
      one.responses,
      one.nacks === 0 ? 0 : { text: String(one.nacks), style: "yellow" },
      one.lastReceived,
    ]),
    style,
  );
}

/** How many endpoints are out of use as connects to them fail. */
function asideWords({ aside, shareReached }: NonNullable<StatusResponse["outliers"]>): string {
  const now = `${aside} ${aside === 1 ? "endpoint" : "endpoints"}`;
  return shareReached === 0 ? now : `${now}; ${shareReached} times one was not, as too many of its tier were`;
}

function renderStatus(status: StatusResponse, out: TextOutput): string {
  const { style } = out;
  const { agent, mesh, lastFlush } = status;
  const state = status.ready ? style("green", "serving") : style("red", "not ready");
  const head: [string, string][] = [
    ["weft", state],
    ["agent", agent ? `pid ${agent.pid}, version ${agent.version}, since ${agent.startedAt}` : "not running"],
    ...agent ? [["source", agent.source] as [string, string]] : [],
    ...agent ? [["node", nodeWords(agent)] as [string, string]] : [],
    ["cgroup", status.cgroup || "?"],
    ["pin root", status.pinRoot],
    ...mesh
      ? [
        ["mesh", `${mesh.services} services, ${mesh.workloads} workloads, ${mesh.policies} policies`] as [
          string,
          string,
        ],
      ]
      : [],
    ...status.controlPlane ? [["stream", streamWords(status.controlPlane)] as [string, string]] : [],
    [
      "last flush",
      lastFlush
        ? `${lastFlush.at}: ${lastFlush.services} services, ${lastFlush.endpointsWritten} endpoints, ` +
          `${lastFlush.recordsPublished} records in ${lastFlush.durationMs.toFixed(1)} ms`
        : "none",
    ],
  ];
  if (status.outliers) head.push(["set aside", asideWords(status.outliers)]);
  const lines = head.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join("");
  const programs = renderTable(
    ["HOOK", "STATE", "PROGRAM", "LINK"],
    status.programs.map((program): Cell[] => [
      program.hook,
      program.state === "attached" ? program.state : { text: program.state, style: "red" },
      program.programId,
      program.linkId,
    ]),
    style,
  );
  const maps = renderTable(
    ["MAP", "USED", "SIZE", "FULL", "KIB"],
    status.maps.map((map): Cell[] => [
      map.name,
      map.used,
      map.size,
      map.used === null ? "" : `${Math.round(map.used * 100 / map.size)}%`,
      Math.ceil(map.bytes / 1024),
    ]),
    style,
  );
  const counters = renderTable(
    ["COUNTER", "VALUE"],
    Object.entries(status.counters).map(([name, value]): Cell[] => [name.replaceAll("_", " "), value]),
    style,
  );
  const list = (title: string, items: readonly string[], colour: "red" | "yellow") =>
    items.length === 0 ? "" : `\n${style(colour, title)}\n${items.map((item) => `  ${item}\n`).join("")}`;
  return [
    lines,
    status.controlPlane ? `\n${typesTable(status.controlPlane, out)}` : "",
    `\n${programs}`,
    status.maps.length > 0 ? `\n${maps}` : "",
    Object.keys(status.counters).length > 0 ? `\n${counters}` : "",
    list("needs waypoint (left alone)", status.needsWaypoint, "yellow"),
    list(
      "refused resources (their last good version is in force)",
      (status.controlPlane?.rejected ?? []).map(({ type, name, reason }) =>
        `${type} ${name || "?"}: ${reason}`
      ),
      "yellow",
    ),
    list("warnings", status.warnings, "yellow"),
    list("errors", status.errors, "red"),
  ].join("");
}
