/**
 * The agent's life: take over or start, put the first configuration into the kernel, attach, follow the source, and leave the
 * kernel serving (or not) at the end.
 */

import { closeFd, lockFile, mountBpffs, openDirectory, openShim, type Shim } from "../../ffi/mod.ts";
import {
  type Controller,
  createController,
  type Datapath,
  exempt,
  foreignLayouts,
  haveSize,
  openDatapath,
  pinPaths,
  probeFeatures,
  removePins,
  type SocketSizes,
  socketSizesOf,
  sweepFlows,
} from "../dataplane/mod.ts";
import { cgroupId, ensureBpffs, HostError, openTurns, type Turns, turnSlices } from "../host/mod.ts";
import { createNodeFinder } from "../locality/mod.ts";
import { emptySnapshot, type Snapshot } from "../mesh/mod.ts";
import { serveAdmin } from "../observe/admin_server.ts";
import type { Logger } from "../observe/log.ts";
import type { OutlierSettings } from "../outlier_detection/mod.ts";
import { agentStatus } from "./agent_status.ts";
import { detachAll } from "./detach.ts";
import { createDial } from "./dial.ts";
import type { AgentOptions } from "./options.ts";
import { probePublishThreads } from "./publish_threads.ts";
import { openFailures, type Outliers, watchOutliers } from "./outliers.ts";
import { type Refusals, watchRefusals } from "./refusals.ts";
import { runtimePaths } from "./runtime_paths.ts";
import { explainView } from "./explain_view.ts";
import { logFlushes } from "./flush_log.ts";
import { recordsView } from "./records_view.ts";
import { openFileSource } from "./file_source.ts";
import type { Source } from "./source.ts";
import { endpointViews, serviceViews, workloadViews } from "./views.ts";

/** How the agent leaves the kernel. */
export type Leave = "keep" | "detach";

/** How often the kernel's refusals are logged, and its leftovers swept, in milliseconds. */
const refusalsEveryMs = 1000;
const sweepEveryMs = 10_000;

/** How often failed connects are looked at, in milliseconds: so long an endpoint that fails is tried on at most. */
const outliersEveryMs = 100;
const calmEveryMs = 30_000;

/**
 * Runs until the signal aborts.
 *
 * @param leave asked at the end: what to do with what the kernel serves
 * @throws {HostError | KernelError | MeshFileError} at the start, with nothing attached that was not before
 */
export async function runAgent(
  options: AgentOptions,
  log: Logger,
  signal: AbortSignal,
  leave: () => Leave,
): Promise<void> {
  if (Deno.uid() !== 0) {
    throw new HostError(
      "weft run needs root: it loads BPF programs and attaches them to a cgroup",
      "run it with sudo",
    );
  }
  const source = await openSource(options.source, log, signal);
  await using stack = new AsyncDisposableStack();
  const shim = openShim();
  const cgroup = openCgroup(shim, options.cgroup);
  stack.defer(() => closeFd(shim, cgroup.fd));
  ensureBpffs(options.pinRoot, (at) => mountBpffs(shim, at));
  const runtime = lockRuntime(shim, options);
  stack.defer(() => closeFd(shim, runtime.lockFd));

  const paths = pinPaths(options.pinRoot);
  Deno.mkdirSync(paths.root, { recursive: true, mode: 0o700 });
  const features = probeFeatures(shim);
  if (!features.setRetval) {
    log.warn(
      "this kernel has no bpf_set_retval (5.18): refused connections get EPERM instead of EHOSTUNREACH",
    );
  }
  const outlierSettings = features.kernelTypes ? options.outliers : undefined;
  if (outlierSettings !== options.outliers) {
    log.warn(
      "this kernel does not tell its types (BTF): endpoints that refuse connections are not set aside",
    );
  }
  const publishThreads = options.publishThreads ?? await probePublishThreads(shim);
  const slices = turnSlices(stack.use(await ownTurns(runtime.turns)));
  const datapath = openDatapath(shim, {
    paths,
    sizes: options.sizes,
    socketSizes: options.socketSizes,
    cgroup,
    features,
    consecutiveFailures: outlierSettings?.consecutiveFailures ?? 0,
    publishThreads,
    watermarks: options.watermarks,
    maxRecords: options.maxRecords,
    slices,
  });
  stack.defer(() => datapath.close());
  if (datapath.tookOver) log.info("took over what an earlier agent left serving", { pinRoot: paths.root });
  warnOfOtherSize(datapath, options.socketSizes, log);

  const startedAt = new Date();
  const node = createNodeFinder(options.node);
  const said = logFlushes(log, datapath, node, options);
  /** Attached, or cannot be. */
  const began = Promise.withResolvers<void>();
  began.promise.catch(() => {}); // nobody waits for it any more where the agent is stopped first
  let attached = false;
  let refusals: Refusals | undefined;
  let outliers: Outliers | undefined;
  let newest = emptySnapshot();
  const timers: ReturnType<typeof setInterval>[] = [];

  /** Once, when the first configuration is in the kernel, and before a second one is on its way there. */
  async function begin(): Promise<void> {
    for (const { hook, was } of await datapath.attach()) {
      const why = was === "severed" ? "its cgroup was removed" : "it was on another cgroup";
      log.warn(`replaced the link on ${hook}: ${why}`, { cgroup: options.cgroup });
    }
    attached = true;
    for (const name of foreignLayouts(paths)) removePins(`${paths.root}/${name}`);
    log.info("serving", { cgroup: options.cgroup, pinRoot: paths.root, socket: runtime.socket });

    const watched = refusals = watchRefusals(
      shim,
      datapath.maps!.eventsFd,
      log,
      (id) => datapath.applied.limits.byId.get(id),
    );
    timers.push(setInterval(() => watched.read(), refusalsEveryMs));
    if (outlierSettings) watchConnects(outlierSettings);
    timers.push(setInterval(() => sweep(datapath, log), sweepEveryMs));
    if (options.auditEveryMs > 0) {
      timers.push(oneAtATime(() => auditRecords(datapath, controller, log), options.auditEveryMs));
    }
    began.resolve();
  }

  function watchConnects(settings: OutlierSettings): void {
    const watched = outliers = watchOutliers({
      ...{ datapath, controller, settings, log },
      failures: openFailures(shim, datapath.maps!),
      newest: () => newest,
      place: (snapshot) => node.place(snapshot),
    });
    const guard = (action: () => void) => () => {
      try {
        action();
      } catch (error) {
        log.error("failed connects could not be looked at", { reason: String(error) });
      }
    };
    timers.push(setInterval(guard(watched.tick), outliersEveryMs));
    timers.push(setInterval(guard(watched.calmDown), calmEveryMs));
  }

  const controller = createController({
    datapath,
    node: (snapshot) => node.place(snapshot),
    learn: (snapshot) => node.learn(snapshot),
    slices,
    onFlush: (report, first) => {
      said(report, first);
      if (!attached) return begin().catch((error) => began.reject(error));
    },
    onError: (message, retryInMs) => {
      log.error(message, { retryInMs });
      if (attached || source.mayWait) return;
      began.reject(new HostError(message, "weft doctor tells what this host can do"));
    },
  });
  const admin = serveAdmin(
    runtime.socket,
    {
      status: () =>
        agentStatus({
          ...{ shim, options, paths, cgroup, datapath, controller, node, source, startedAt, attached },
          outliers,
        }),
      services: () => serviceViews(datapath, controller, outliers, options.node.network),
      workloads: () => workloadViews(controller.state.applied),
      endpoints: (service) => endpointViews(datapath, controller, outliers, service, options.node.network),
      explain: (to, protocol) => explainView(datapath, controller, to, protocol),
      records: () => recordsView(datapath, options.watermarks),
      resources: (only) => source.resources(only, slices),
    },
    slices,
    (path, error) => log.error("an answer of the admin interface broke off", { path, reason: String(error) }),
  );
  try {
    const ended = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const submit = (snapshot: Snapshot) => {
      newest = snapshot;
      (outliers ?? controller).submit(snapshot);
    };
    const following = source.follow(
      submit,
      signal,
      createDial(shim, (fd) => exempt(shim, datapath.sockets, fd)),
      slices,
    );
    await Promise.race([ended, following, began.promise]);
    await Promise.race([ended, following]);
    refusals?.read();
  } finally {
    for (const timer of timers) clearInterval(timer);
    await controller.stop().catch((error) =>
      log.error("the last flush left something undone", { reason: String(error) })
    );
    await admin.close();
    refusals?.close();
    outliers?.close();
  }
  if (leave() === "detach") {
    const count = detachAll(shim, paths);
    log.info("detached", { links: count });
  } else {
    log.info("stopped; the kernel goes on serving (weft detach removes everything)");
  }
}

/** @throws {MeshFileError} */
async function openSource(
  options: AgentOptions["source"],
  log: Logger,
  signal: AbortSignal,
): Promise<Source> {
  if (options.kind === "file") return await openFileSource(options, log, signal);
  // Imported here: gRPC takes a while to load, and a file needs none of it.
  const { createXdsSource } = await import("./xds_source.ts");
  return createXdsSource(options, log);
}

function sweep({ sockets }: Datapath, log: Logger): void {
  try {
    sweepFlows(sockets);
  } catch (error) {
    log.error("what closed sockets left could not be swept", { reason: String(error) });
  }
}

/** Puts right what somebody else did to map records; what cannot be told from the map alone is flushed anew. */
async function auditRecords(datapath: Datapath, controller: Controller, log: Logger): Promise<void> {
  try {
    const { repairs, lost } = await datapath.audit();
    for (const repair of repairs) log.warn(`somebody changed the maps, put right: ${repair}`);
    if (lost.length === 0) return;
    log.error("records are gone from the kernel: somebody changed map records; all is flushed anew", {
      slots: lost.slice(0, 10),
      records: lost.length,
    });
    controller.repair();
  } catch (error) {
    log.error("map records could not be looked over", { reason: String(error) });
  }
}

/** As setInterval, but not while the action still runs. */
function oneAtATime(action: () => Promise<void>, everyMs: number): ReturnType<typeof setInterval> {
  const longestTimer = 2 ** 31 - 1;
  let running = false;
  return setInterval(async () => {
    if (running) return;
    running = true;
    await action();
    running = false;
  }, Math.min(everyMs, longestTimer));
}

function openCgroup(shim: Shim, path: string): { fd: number; id: bigint } {
  try {
    return { fd: openDirectory(shim, path), id: cgroupId(path) };
  } catch (error) {
    const remedy = "name a directory of cgroup v2 with --cgroup, or leave it out for the root";
    throw new HostError(`cannot open the cgroup ${path}: ${(error as Error).message}`, remedy, {
      cause: error,
    });
  }
}

function lockRuntime(
  shim: Shim,
  options: AgentOptions,
): { socket: string; turns: string; lockFd: number } {
  const runtime = runtimePaths(options.pinRoot, options.socket);
  Deno.mkdirSync(runtime.directory, { recursive: true, mode: 0o700 });
  const lockFd = lockFile(shim, runtime.lock);
  if (lockFd === undefined) {
    throw new HostError(
      `another agent runs with the pin root ${options.pinRoot} (it holds ${runtime.lock})`,
      "stop it first, or choose another --pin-root",
    );
  }
  return { socket: runtime.socket, turns: runtime.turns, lockFd };
}

async function ownTurns(path: string): Promise<Turns> {
  try {
    return await openTurns(path);
  } catch (error) {
    const remedy =
      "the agent needs it for a moment when it starts: its directory must be writable, and its path short " +
      "(choose another --pin-root)";
    throw new HostError(`cannot make the UNIX socket ${path}: ${(error as Error).message}`, remedy, {
      cause: error,
    });
  }
}

function warnOfOtherSize(datapath: Datapath, wanted: SocketSizes, log: Logger): void {
  const have = socketSizesOf(datapath.sockets);
  if (haveSize(datapath.sockets, wanted)) return;
  log.warn(
    "the per-socket maps keep the size they have, as sockets refer to them; weft detach removes them",
    {
      have,
      wanted,
    },
  );
}
