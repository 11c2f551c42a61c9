/** `weft run` as a process of its own that follows a control plane in this process. */

import { type MeshMaps, openMeshMaps, pinPaths } from "../src/dataplane/mod.ts";
import { closeMeshMaps } from "../src/dataplane/maps.ts";
import type { Shim } from "../ffi/mod.ts";
import { bpffsPath, cgroup2Mount, createCgroup, ownedName, run, spawn } from "../src/host/mod.ts";
import { askAgent } from "../src/observe/admin_client.ts";
import { type StatusResponse, statusResponse } from "../src/observe/api.ts";
import { v8Flags } from "../scripts/v8_flags.ts";
import { type ControlPlane, type ControlStream, createControlPlane } from "../tests/kit/control_plane.ts";

const main = new URL("../main.ts", import.meta.url).pathname;

/** An agent with nothing to serve yet, and the control plane's end of its stream. */
export interface FollowedAgent extends AsyncDisposable {
  readonly plane: ControlPlane;
  readonly stream: ControlStream;
  readonly pid: number;
  /** Of its admin interface. */
  readonly socket: string;
  readonly status: () => Promise<StatusResponse>;
  /** What it has pinned, once it serves. */
  readonly openMaps: () => MeshMaps;
}

/**
 * Starts it in a cgroup of its own.
 *
 * @param mode its subscriptions of mode workload have been received, those of mode ads are yet to be
 */
export async function startFollowedAgent(
  shim: Shim,
  mode: "workload" | "ads" = "workload",
): Promise<FollowedAgent> {
  await using stack = new AsyncDisposableStack();
  const name = ownedName("weft-bench", "ads");
  const cgroup = stack.use(createCgroup(cgroup2Mount(), name));
  const pinRoot = `${bpffsPath}/${name}`;
  const directory = await Deno.makeTempDir({ prefix: "weft-bench-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const weft = [Deno.execPath(), "run", "--quiet", "-A", "--unstable-net", v8Flags, main];
  stack.defer(async () => void await run([...weft, "detach", "--pin-root", pinRoot]));
  const plane = stack.use(await createControlPlane());
  const socket = `${directory}/agent.sock`;
  const child = stack.use(
    spawn([
      ...[...weft, "run", "--xds", plane.target, "--mode", mode, "--plaintext", "--cgroup", cgroup.path],
      ...["--pin-root", pinRoot, "--socket", socket, "--log-format", "json", "--log-level", "warn"],
    ]),
  );
  const stream = await plane.stream(60_000);
  if (mode === "workload") { for (let i = 0; i < 2; i++) await stream.deltaRequest(); }
  // Before the agent ends: the HTTP/2 server of Deno 2.9 may abort this process where a client closes its connection in good order.
  stack.defer(() => plane.stop());
  const owned = stack.move();
  return {
    plane,
    stream,
    pid: child.pid,
    socket,
    status: () => askAgent(socket, "/status", statusResponse),
    openMaps: () => {
      const maps = openMeshMaps(shim, pinPaths(pinRoot).maps);
      if (maps === undefined) throw new Error(`the agent has pinned nothing at ${pinRoot}`);
      owned.defer(() => closeMeshMaps(shim, maps));
      return maps;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What a process takes. */
export interface ProcessUse {
  readonly mib: number;
  /** Its most so far. */
  readonly mostMib: number;
  readonly cpuMs: number;
  /** How long its main thread has waited for a processor that others had; NaN where the kernel does not tell. */
  readonly waitedMs: number;
}

export function processUse(pid: number): ProcessUse {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]) / 1024;
  const [user, system] = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ").slice(
    11,
    13,
  );
  // In ticks of 10 ms, on every architecture that weft is built for.
  const cpuMs = (Number(user) + Number(system)) * 10;
  return { mib: mib("VmRSS"), mostMib: mib("VmHWM"), cpuMs, waitedMs: waitedMs(pid) };
}

function waitedMs(pid: number): number {
  try {
    return Number(Deno.readTextFileSync(`/proc/${pid}/schedstat`).split(" ")[1]) / 1e6;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return NaN;
    throw error;
  }
}
