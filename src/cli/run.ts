import { z } from "zod";
import { defaultWatermarks } from "../records/watermarks.ts";
import { defineCommand } from "./command.ts";
import { cgroupFlag, pinRootFlag, socketFlag } from "./common_flags.ts";
import { nodeFlags, nodeOptions } from "./node_flags.ts";
import { outlierFlags, outlierSettings } from "./outlier_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { Interrupted } from "./interrupted.ts";
import { UsageError } from "./user_error.ts";
import { version } from "./version.ts";
import { refuseXdsFlags, xdsFlags, xdsOptions } from "./xds_flags.ts";

const size = { kind: "integer", valueName: "N", minimum: 1, maximum: 2 ** 30 } as const;

const percent = { kind: "integer", valueName: "PERCENT", minimum: 1, maximum: 99 } as const;

/** Paths that are pinned or locked must mean the same to every process. */
const absolutePath = z.string().regex(/^\/[^\0]*$/, "must be an absolute path").transform((path) =>
  path.replace(/(?<=.)\/+$/, "")
);

/** Where the mesh comes from: exactly one of both. */
function sourceOptions(flags: Parameters<typeof refuseXdsFlags>[0] & { readonly mesh: string | undefined }) {
  const { mesh, xds } = flags;
  if (xds === undefined) refuseXdsFlags(flags);
  if (mesh !== undefined && xds !== undefined) {
    throw new UsageError(
      "--mesh and --xds exclude each other",
      "give one of them: a file, or a control plane",
    );
  }
  if (xds !== undefined) return { xds };
  if (mesh !== undefined) return { mesh, xds };
  throw new UsageError("--mesh FILE or --xds ADDRESS is needed", "run: weft run --help");
}

/** This host's addresses, IPv4 first; those that others reach it at. */
function hostAddresses(): string[] {
  return Deno.networkInterfaces()
    .filter(({ address }) => !/^(127\.|::1$|fe80:)/i.test(address))
    .sort((a, b) => a.family < b.family ? -1 : a.family > b.family ? 1 : 0)
    .map(({ address }) => address);
}

/** The command `weft run`. */
export const runCommand = defineCommand({
  name: "run",
  summary: "run the agent: balance every connect() of a cgroup over the mesh's endpoints",
  description:
    "Loads the BPF programs, puts the mesh into the kernel and attaches to the cgroup; then stays in the foreground, " +
    "follows its source (a mesh file, or a control plane such as istiod), and logs one line per event. What is refused " +
    "changes nothing: what was served goes on being served.\n\n" +
    "No packet passes through the agent. When it stops or dies the kernel serves on, and the next start takes over; " +
    "Ctrl-C on a terminal detaches, unless --keep is given.",
  flags: [
    {
      kind: "string",
      name: "mesh",
      valueName: "FILE",
      env: "WEFT_MESH",
      help: "the mesh file (YAML): workloads, services, policies; instead of --xds",
    },
    ...xdsFlags,
    cgroupFlag,
    pinRootFlag,
    socketFlag,
    ...nodeFlags,
    ...outlierFlags,
    { kind: "boolean", name: "keep", help: "leave the kernel serving at the end, also on Ctrl-C" },
    { kind: "boolean", name: "detach", help: "detach at the end, also on SIGTERM" },
    {
      kind: "choice",
      name: "log-format",
      valueName: "FORMAT",
      env: "WEFT_LOG_FORMAT",
      choices: ["auto", "text", "json"],
      default: "auto",
      help: "how to log; auto: text on a terminal, else JSON",
    },
    {
      kind: "choice",
      name: "log-level",
      valueName: "LEVEL",
      env: "WEFT_LOG_LEVEL",
      choices: ["debug", "info", "warn", "error"],
      default: "info",
      help: "the least that is logged",
    },
    {
      ...size,
      name: "max-mesh-bytes",
      env: "WEFT_MAX_MESH_BYTES",
      default: 64 * 1024 * 1024,
      help: "a larger mesh file is refused",
    },
    {
      ...size,
      name: "max-sockets",
      env: "WEFT_MAX_SOCKETS",
      default: 114_688,
      help: "connected sockets whose VIP is remembered, rounded up to 7 times a power of two",
    },
    {
      ...size,
      name: "max-flows",
      env: "WEFT_MAX_FLOWS",
      default: 16_384,
      help: "entries for unconnected UDP: three for a socket's first VIP, two for each other",
    },
    {
      ...size,
      name: "max-connection-limits",
      env: "WEFT_MAX_CONNECTION_LIMITS",
      default: 4_096,
      help: "clusters that may have a limit of connections (max_connections); a mesh with more is refused",
    },
    { ...size, name: "frontends", default: 16_384, help: "first size of the map; it grows by itself" },
    { ...size, name: "service-ports", default: 8_192, help: "first size of the map; it grows by itself" },
    { ...size, name: "endpoints", default: 8_192, help: "first size of the map; it grows by itself" },
    { ...size, name: "records", default: 8_192, help: "first size of the map; it grows by itself" },
    {
      ...size,
      name: "max-records",
      env: "WEFT_MAX_RECORDS",
      default: 2 ** 24,
      help: "the most slots that map records may grow to, 8 bytes each; a mesh that needs more is refused",
    },
    {
      ...percent,
      name: "records-grow-percent",
      default: defaultWatermarks.growAt * 100,
      help: "add spare records when so many of a size class are used",
    },
    {
      ...percent,
      name: "records-shrink-percent",
      default: defaultWatermarks.shrinkAt * 100,
      help: "free spare records when so few of a size class are used",
    },
    {
      ...size,
      name: "records-step",
      minimum: 0,
      default: defaultWatermarks.step,
      help: "spares are added and freed in multiples of this; 0: it adapts to the size class",
    },
    {
      ...size,
      name: "publish-threads",
      minimum: 0,
      maximum: 256,
      help: "threads that publish records, one grace period each; 0: one batch; tried out where left out",
    },
    {
      kind: "duration",
      name: "audit-every",
      valueName: "TIME",
      default: "30s",
      help: "how often map records is looked over for what somebody else changed; 0: never",
    },
  ],
  positionals: [],
  examples: [
    { command: "weft run --mesh examples/two-zones.yaml", help: "balance the whole node" },
    {
      command: "weft run --xds istiod.istio-system.svc --xds-ca root-cert.pem --xds-token token",
      help: "the mesh as istiod tells it",
    },
    { command: "weft run --xds localhost --plaintext", help: "istiod on this host, or forwarded to it" },
    {
      command: "weft run --mesh mesh.yaml --cgroup /sys/fs/cgroup/system.slice --log-format json",
      help: "only what runs below one cgroup",
    },
  ],
  async run(context) {
    const { flags } = context;
    if (flags.keep && flags.detach) {
      throw new UsageError("--keep and --detach exclude each other", "give one of them");
    }
    const growPercent = flags["records-grow-percent"], shrinkPercent = flags["records-shrink-percent"];
    if (shrinkPercent >= growPercent) {
      throw new UsageError(
        `--records-shrink-percent ${shrinkPercent} is not below --records-grow-percent ${growPercent}`,
        "leave both out for 30 and 70",
      );
    }
    const [{ runAgent }, { createLogger }, { cgroup2Mount }] = await Promise.all([
      import("../agent/mod.ts"),
      import("../observe/log.ts"),
      import("../host/mod.ts"),
    ]);
    const format = flags["log-format"] === "auto"
      ? (context.stderr.isTerminal ? "text" : "json")
      : flags["log-format"];
    const log = createLogger({ format, level: flags["log-level"] });
    const pinRoot = absolutePath.safeParse(flags["pin-root"]);
    if (!pinRoot.success) {
      throw new UsageError(`--pin-root ${pinRoot.error.issues[0].message}`, "such as /sys/fs/bpf/weft");
    }
    const source = sourceOptions(flags);
    // The cluster's name for this node is most often the host's.
    const hostname = Deno.hostname();
    // A control plane names its clusters; its own is called so unless somebody decided otherwise.
    const node = nodeOptions(
      source.xds === undefined ? flags : { ...flags, "cluster-id": flags["cluster-id"] ?? "Kubernetes" },
      hostname,
    );
    const outliers = outlierSettings(flags);
    await runAgent(
      {
        version,
        source: source.xds === undefined
          ? { kind: "file", path: source.mesh, maxBytes: flags["max-mesh-bytes"] }
          : xdsOptions({ ...flags, xds: source.xds }, node, {
            hostname,
            addresses: hostAddresses(),
            env: (name) => Deno.env.get(name),
          }),
        cgroup: flags.cgroup ?? cgroup2Mount(),
        pinRoot: pinRoot.data,
        socket: flags.socket,
        node,
        sizes: {
          frontends: flags.frontends,
          // Two are reserved.
          services: Math.max(flags["service-ports"], 2),
          endpoints: flags.endpoints,
          // Slot 0 is the placeholder's.
          records: Math.max(flags.records, 2),
        },
        maxRecords: flags["max-records"],
        outliers,
        watermarks: {
          growAt: growPercent / 100,
          shrinkAt: shrinkPercent / 100,
          step: flags["records-step"],
        },
        publishThreads: flags["publish-threads"],
        auditEveryMs: flags["audit-every"],
        socketSizes: {
          peers: flags["max-sockets"],
          flows: flags["max-flows"],
          connectionLimits: flags["max-connection-limits"],
        },
      },
      log,
      context.signal,
      () => {
        if (flags.keep || flags.detach) return flags.keep ? "keep" : "detach";
        const reason: unknown = context.signal.reason;
        const onTerminal = reason instanceof Interrupted && reason.signal === "SIGINT" &&
          context.stdinIsTerminal;
        return onTerminal ? "detach" : "keep";
      },
    );
    return exitCodes.ok;
  },
});
