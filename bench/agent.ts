/** weft on a cgroup of its own, as `weft run` would be there, and programs that do nothing on another. */

import {
  closeFd,
  createLink,
  type LoadedObject,
  loadObject,
  openDirectory,
  programInfo,
  type Shim,
} from "../ffi/mod.ts";
import {
  type Controller,
  createController,
  type Datapath,
  defaultSizes,
  defaultSocketSizes,
  detachPrograms,
  type Hook,
  hooks,
  loadPrograms,
  openDatapath,
  pinPaths,
  probeFeatures,
  removePins,
} from "../src/dataplane/mod.ts";
import { defaultOutlierSettings } from "../src/outlier_detection/mod.ts";
import { type NodeFinder, type Place, placeOn } from "../src/locality/mod.ts";
import { defaultWatermarks, type Watermarks } from "../src/records/mod.ts";
import { bpffsPath, type Cgroup, isLeftover, openTurns, ownedName, turnSlices } from "../src/host/mod.ts";

const prefix = "weft-bench";
const anywhere = placeOn("");

/** The programs and maps of one agent, attached from its first flush on. */
export interface BenchAgent extends AsyncDisposable {
  readonly datapath: Datapath;
  readonly controller: Controller;
  readonly pinRoot: string;
  /** How long loading and attaching the programs took after the first flush. */
  readonly attachMs: () => number;
  /** The shim's counts at the end of the last flush, before anything was done in the background. */
  readonly countsAtFlush: () => ReadonlyMap<string, number>;
}

/** Removes the pins of benchmarks that were killed. */
export function removeLeftoverPins(shim: Shim): void {
  for (const { name } of Deno.readDirSync(bpffsPath)) {
    if (isLeftover(name, prefix)) removeAllPins(shim, `${bpffsPath}/${name}`);
  }
}

/** What an agent may have that is not as `weft run` has it. */
export interface AgentTuning {
  /** First size of map records. */
  readonly records?: number;
  readonly watermarks?: Watermarks;
  /** Whether it watches how connects end. @default as `weft run` does */
  readonly watched?: boolean;
  /** Finds where the node is. */
  readonly node?: Pick<NodeFinder, "place">;
  /** Where the node is, without a finder. @default nowhere */
  readonly place?: Place;
}

/** Starts with nothing in the kernel. @param name tells agents of one process apart */
export async function startAgent(
  shim: Shim,
  cgroup: Cgroup,
  name: string,
  { records = defaultSizes.records, watermarks = defaultWatermarks, watched = true, node, place = anywhere }:
    AgentTuning = {},
): Promise<BenchAgent> {
  const pinRoot = `${bpffsPath}/${ownedName(prefix, name)}`;
  Deno.mkdirSync(pinRoot, { mode: 0o700 });
  const fd = openDirectory(shim, cgroup.path);
  const turns = await openTurns(`/run/${ownedName(prefix, name)}.turns`);
  const slices = turnSlices(turns);
  const datapath = openDatapath(shim, {
    paths: pinPaths(pinRoot),
    sizes: { ...defaultSizes, records },
    socketSizes: defaultSocketSizes,
    cgroup: { fd, id: cgroup.id },
    features: probeFeatures(shim),
    consecutiveFailures: watched ? defaultOutlierSettings.consecutiveFailures : 0,
    publishThreads: 0,
    watermarks,
    maxRecords: 2 ** 24,
    slices,
  });
  let attachMs = 0;
  let counts = new Map<string, number>();
  const controller = createController({
    datapath,
    node: (snapshot) => node?.place(snapshot) ?? place,
    slices,
    onFlush: async (_, first) => {
      counts = new Map(shim.counts);
      if (!first) return;
      const start = performance.now();
      await datapath.attach();
      attachMs = performance.now() - start;
    },
    onError: (message) => {
      throw new Error(message);
    },
  });
  return {
    datapath,
    controller,
    pinRoot,
    attachMs: () => attachMs,
    countsAtFlush: () => counts,
    [Symbol.asyncDispose]: async () => {
      await controller.stop();
      datapath.close();
      await turns[Symbol.asyncDispose]();
      closeFd(shim, fd);
      removeAllPins(shim, pinRoot);
    },
  };
}

function removeAllPins(shim: Shim, pinRoot: string): void {
  detachPrograms(shim, pinPaths(pinRoot).links);
  removePins(pinRoot);
}

/** Programs that do nothing, on every hook of a cgroup. */
export interface EmptyPrograms extends Disposable {
  readonly object: LoadedObject;
}

/** @param objectName what was compiled of bench/empty.bpf.c */
export async function attachEmptyPrograms(
  shim: Shim,
  cgroup: Cgroup,
  objectName: string,
): Promise<EmptyPrograms> {
  const object = await loadObject(shim, objectName, { reuse: new Map(), readOnly: new Map() });
  return { object, ...attach(shim, cgroup, object, hooks) };
}

/**
 * Programs that choose over an agent's maps and do nothing else, on the connect hooks of another cgroup.
 *
 * @param agent has had its first flush
 * @param objectName what was compiled of bench/choice.bpf.c
 */
export async function attachChoice(
  shim: Shim,
  cgroup: Cgroup,
  { datapath }: BenchAgent,
  objectName: string,
): Promise<Disposable> {
  const settings = { ...probeFeatures(shim), ranges: false, consecutiveFailures: 0 };
  const object = await loadPrograms(shim, datapath.maps!, datapath.sockets, settings, objectName);
  return attach(shim, cgroup, object, hooks.filter(({ name }) => name.startsWith("connect")));
}

function attach(shim: Shim, cgroup: Cgroup, object: LoadedObject, used: readonly Hook[]): Disposable {
  const cgroupFd = openDirectory(shim, cgroup.path);
  const links = used.map((hook) =>
    createLink(shim, object.program(hook.program), cgroupFd, hook.attachType, hook.name)
  );
  closeFd(shim, cgroupFd);
  return {
    [Symbol.dispose]: () => {
      for (const link of links) closeFd(shim, link);
      object[Symbol.dispose]();
    },
  };
}

/** File descriptors of programs by their hook. */
export type ProgramFds = ReadonlyMap<string, number>;

/** How often a program ran and for how long, while statistics were enabled. */
export interface RunTime {
  readonly ns: number;
  readonly runs: number;
}

export function readRunTimes(shim: Shim, programs: ProgramFds): ReadonlyMap<string, RunTime> {
  return new Map([...programs].map(([hook, fd]) => {
    const { runTimeNs, runs } = programInfo(shim, fd);
    return [hook, { ns: runTimeNs, runs }];
  }));
}
