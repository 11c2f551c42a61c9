/** The maps of the kernel contract: created, opened from their pins, replaced by a larger generation. */

import {
  ArrayMap,
  ArrayOfMaps,
  closeFd,
  CounterMap,
  createMapAside,
  HashMap,
  KernelMap,
  mapInfo,
  mapMemory,
  openMapById,
  openPin,
  pin,
  type Shim,
  u64,
  workload,
} from "../../ffi/mod.ts";
import { inSlices, type Pause, type Steps } from "../host/mod.ts";
import { createFrontendLines, type FrontendLines, lineCount } from "./frontend_lines.ts";
import { copyOuterMap, createOuterMap } from "../records/mod.ts";

/** Entries of the maps of a first generation. */
export interface FirstSizes {
  readonly frontends: number;
  /** Service ports; `refusals` and `turns` have as many. */
  readonly services: number;
  /** `endpoint_hits` and `connect_failures` have as many. */
  readonly endpoints: number;
  /** Slots. */
  readonly records: number;
  /** As many as `endpoints` from the service port on that asks for them. @default {1} */
  readonly endpointConnections?: number;
}

/** Entries of each map that has a size. */
export type MeshSizes = Required<FirstSizes>;

/** Room for 5,000 services of one port in under 3 MiB; a larger mesh makes a larger generation. */
export const defaultSizes: FirstSizes = {
  frontends: 16_384,
  services: 8_192,
  endpoints: 8_192,
  records: 8_192,
};

/** The size of the ring buffer of refusals in bytes: a power of two of at least a page. */
export const eventsSize = 65_536;

/** The size of the ring buffer of failures in bytes, likewise. */
export const failureEventsSize = 16_384;

/** A trie takes memory for what it holds, not for what it may hold. */
const mostRanges = 2 ** 31;
const noPreallocation = 1; // BPF_F_NO_PREALLOC: tries have no other kind

/** One generation of the maps that describe the mesh. */
export interface MeshMaps {
  readonly sizes: MeshSizes;
  readonly frontends: HashMap<workload.FrontendKey, workload.Frontend>;
  readonly frontendLines: FrontendLines;
  readonly ranges: KernelMap<workload.RangeKey, workload.Range>;
  readonly services: ArrayMap<workload.ServicePort>;
  readonly records: ArrayOfMaps;
  readonly endpoints: ArrayMap<workload.Endpoint>;
  readonly endpointHits: ArrayMap<bigint>;
  readonly endpointConnections: ArrayMap<workload.EndpointConnections>;
  readonly refusals: ArrayMap<bigint>;
  readonly turns: ArrayMap<bigint>;
  readonly connectFailures: ArrayMap<workload.ConnectFailures>;
  readonly counters: CounterMap;
  readonly eventsFd: number;
  readonly failureEventsFd: number;
}

/** A map's name in the contract, with its file descriptor. */
export function mapFds(maps: MeshMaps): ReadonlyMap<typeof workload.meshMaps[number], number> {
  return new Map([
    ["frontends", maps.frontends.fd],
    ["frontend_lines", maps.frontendLines.map.fd],
    ["ranges", maps.ranges.fd],
    ["services", maps.services.fd],
    ["records", maps.records.fd],
    ["endpoints", maps.endpoints.fd],
    ["endpoint_hits", maps.endpointHits.fd],
    ["endpoint_connections", maps.endpointConnections.fd],
    ["refusals", maps.refusals.fd],
    ["turns", maps.turns.fd],
    ["connect_failures", maps.connectFailures.fd],
    ["failure_events", maps.failureEventsFd],
    ["counters", maps.counters.fd],
    ["events", maps.eventsFd],
  ]);
}

/** The kernel memory of one generation's maps by name, in bytes; of `records` the outer map only. */
export function mapMemories(maps: MeshMaps): ReadonlyMap<string, number> {
  return new Map([...mapFds(maps)].map(([name, fd]) => [name, mapMemory(maps.records.shim, fd)]));
}

/** Closes the file descriptors; what is pinned stays. */
export function closeMeshMaps(shim: Shim, maps: MeshMaps): void {
  const { sizes: _sizes, eventsFd, failureEventsFd, ...handles } = maps;
  for (const handle of Object.values(handles)) handle[Symbol.dispose]();
  closeFd(shim, eventsFd);
  closeFd(shim, failureEventsFd);
}

/** The number of CPUs that the kernel could ever have: how many values a per-CPU map keeps. */
function possibleCpus(): number {
  const ranges = Deno.readTextFileSync("/sys/devices/system/cpu/possible").trim().split(",");
  const last = ranges.at(-1)!.split("-").at(-1)!;
  return Number(last) + 1;
}

function typed(shim: Shim, fd: (name: typeof workload.meshMaps[number]) => number): MeshMaps {
  const frontends = new HashMap(shim, fd("frontends"), {
    name: "frontends",
    key: workload.frontendKey,
    value: workload.frontend,
  });
  const services = new ArrayMap(shim, fd("services"), { name: "services", value: workload.servicePort });
  const records = new ArrayOfMaps(shim, fd("records"), "records");
  const endpoints = new ArrayMap(shim, fd("endpoints"), { name: "endpoints", value: workload.endpoint });
  const endpointConnections = new ArrayMap(shim, fd("endpoint_connections"), {
    name: "endpoint_connections",
    value: workload.endpointConnections,
  });
  return {
    sizes: {
      frontends: frontends.info().maxEntries,
      services: services.info().maxEntries,
      endpoints: endpoints.info().maxEntries,
      endpointConnections: endpointConnections.info().maxEntries,
      records: records.info().maxEntries,
    },
    frontends,
    frontendLines: createFrontendLines(
      new ArrayMap(shim, fd("frontend_lines"), { name: "frontend_lines", value: workload.frontendLine }),
    ),
    ranges: new KernelMap(shim, fd("ranges"), {
      name: "ranges",
      key: workload.rangeKey,
      value: workload.range,
    }),
    services,
    records,
    endpoints,
    endpointHits: new ArrayMap(shim, fd("endpoint_hits"), { name: "endpoint_hits", value: u64 }),
    endpointConnections,
    refusals: new ArrayMap(shim, fd("refusals"), { name: "refusals", value: u64 }),
    turns: new ArrayMap(shim, fd("turns"), { name: "turns", value: u64 }),
    connectFailures: new ArrayMap(shim, fd("connect_failures"), {
      name: "connect_failures",
      value: workload.connectFailures,
    }),
    counters: new CounterMap(shim, fd("counters"), "counters", possibleCpus()),
    eventsFd: fd("events"),
    failureEventsFd: fd("failure_events"),
  };
}

/** The key and value sizes of the maps, in bytes. */
const shapes = {
  frontends: [workload.frontendKey.size, workload.frontend.size],
  frontend_lines: [4, workload.frontendLine.size],
  ranges: [workload.rangeKey.size, workload.range.size],
  services: [4, workload.servicePort.size],
  records: [4, 4],
  endpoints: [4, workload.endpoint.size],
  endpoint_hits: [4, 8],
  endpoint_connections: [4, workload.endpointConnections.size],
  refusals: [4, 8],
  turns: [4, 8],
  connect_failures: [4, workload.connectFailures.size],
  failure_events: [0, 0],
  counters: [4, 8],
  events: [0, 0],
} as const;

function entriesOf(name: typeof workload.meshMaps[number], sizes: MeshSizes): number {
  switch (name) {
    case "endpoint_hits":
    case "connect_failures":
      return sizes.endpoints;
    case "endpoint_connections":
      return sizes.endpointConnections;
    case "refusals":
    case "turns":
      return sizes.services;
    case "counters":
      return workload.counter.COUNTERS;
    case "events":
      return eventsSize;
    case "frontend_lines":
      return lineCount(sizes.frontends);
    case "failure_events":
      return failureEventsSize;
    case "ranges":
      return mostRanges;
    default:
      return sizes[name];
  }
}

async function createOne(
  shim: Shim,
  name: typeof workload.meshMaps[number],
  sizes: MeshSizes,
): Promise<number> {
  if (name === "records") {
    return (await createOuterMap(shim, (fd) => new ArrayOfMaps(shim, fd, name), sizes.records)).fd;
  }
  const [keySize, valueSize] = shapes[name];
  const type = workload.mapTypes[name];
  const flags = name === "ranges" ? noPreallocation : 0;
  const maxEntries = entriesOf(name, sizes);
  return await createMapAside(shim, { type, name, keySize, valueSize, maxEntries, flags });
}

/** The reserved service ports: what holds for a VIP's ports that are not listed, and for destinations left alone. */
export const unlistedId = 0;
export const leaveId = 1;

/**
 * Creates the maps of a first generation, empty but for the reserved service ports.
 *
 * @param pause called between maps: the kernel takes milliseconds for a large one
 */
export async function createMeshMaps(shim: Shim, sizes: MeshSizes, pause: Pause): Promise<MeshMaps> {
  const fds = new Map<string, number>();
  try {
    for (const name of workload.meshMaps) {
      fds.set(name, await createOne(shim, name, sizes));
      await pause();
    }
  } catch (error) {
    for (const fd of fds.values()) closeFd(shim, fd);
    throw error;
  }
  const maps = typed(shim, (name) => fds.get(name)!);
  const tier = { slot: 0, count: 0 };
  maps.services.updateMany([
    [unlistedId, { flags: 0, choices: 0, limit: 0, tier }],
    [leaveId, { flags: workload.serviceFlag.SERVICE_LEAVE, choices: 0, limit: 0, tier }],
  ]);
  return maps;
}

/** What to say of a pinned map that somebody else made. */
export function foreignMap(directory: string, name: string, wrong: string): string {
  return `the map pinned at ${directory}/${name} is not the agent's: ${wrong}; remove what is pinned there with ` +
    "weft detach, or choose another --pin-root";
}

/** Opens the maps pinned in a directory; `undefined` where they are not all there. @throws {Error} for maps of another shape */
export function openMeshMaps(shim: Shim, directory: string): MeshMaps | undefined {
  const fds = new Map<string, number>();
  for (const name of workload.meshMaps) {
    const fd = openPin(shim, `${directory}/${name}`);
    if (fd === undefined) {
      for (const open of fds.values()) closeFd(shim, open);
      return undefined;
    }
    fds.set(name, fd);
    const wrong = otherShape(shim, name, fd);
    if (wrong) {
      for (const open of fds.values()) closeFd(shim, open);
      throw new Error(foreignMap(directory, name, wrong));
    }
  }
  return typed(shim, (name) => fds.get(name)!);
}

/** How a map differs from what the contract says; `undefined` where it does not. */
function otherShape(shim: Shim, name: typeof workload.meshMaps[number], fd: number): string | undefined {
  const { type, keySize, valueSize } = mapInfo(shim, fd);
  const [key, value] = shapes[name];
  const describe = (type: number, key: number, value: number) =>
    `type ${type} with keys of ${key} and values of ${value} bytes`;
  const is = describe(type, keySize, valueSize), wanted = describe(workload.mapTypes[name], key, value);
  return is === wanted ? undefined : `it is of ${is}, expected ${wanted}`;
}

/** Pins the maps into a new directory. */
export function pinMeshMaps(shim: Shim, maps: MeshMaps, directory: string): void {
  Deno.mkdirSync(directory, { mode: 0o700 });
  for (const [name, fd] of mapFds(maps)) pin(shim, fd, `${directory}/${name}`);
}

/**
 * A larger generation beside the old one: maps that are large enough are shared, the others are copied, but for what programs count
 * (`copyCounts`). Nothing else may write the old maps meanwhile.
 */
export async function growMeshMaps(
  shim: Shim,
  old: MeshMaps,
  sizes: MeshSizes,
  threads: number,
  pause: Pause,
): Promise<MeshMaps> {
  const copy = <K, V>(from: KernelMap<K, V>, to: KernelMap<K, V>) => inSlices(from.copyInto(to), pause);
  const grown = new Set<string>(
    workload.meshMaps.filter((name) => entriesOf(name, sizes) > entriesOf(name, old.sizes)),
  );
  const fds = new Map<string, number>();
  try {
    for (const [name, fd] of mapFds(old)) {
      // A second descriptor of the same map, so that each generation closes its own.
      fds.set(name, grown.has(name) ? await createOne(shim, name, sizes) : reopen(shim, fd, name));
      await pause();
    }
    const maps = typed(shim, (name) => fds.get(name)!);
    if (grown.has("frontends")) {
      await copy(old.frontends, maps.frontends);
      await inSlices(maps.frontendLines.fill(old.frontends.entries()), pause);
    } else {
      maps.frontendLines.share(old.frontendLines);
    }
    if (grown.has("services")) await copy(old.services, maps.services);
    if (grown.has("endpoints")) await copy(old.endpoints, maps.endpoints);
    if (grown.has("records")) await copyOuterMap(old.records, maps.records, threads);
    return maps;
  } catch (error) {
    for (const fd of fds.values()) closeFd(shim, fd);
    throw error;
  }
}

/**
 * Copies what programs have counted so far into a larger generation, right before its programs take over: what they count meanwhile is
 * not in it. What endpoints have failed so far is counted anew (map connect_failures), and any number is a turn (map turns).
 */
export function* copyCounts(old: MeshMaps, next: MeshMaps): Steps<void> {
  const isLarger = (name: (typeof workload.meshMaps)[number]) =>
    entriesOf(name, next.sizes) > entriesOf(name, old.sizes);
  if (isLarger("refusals")) yield* old.refusals.copyInto(next.refusals);
  if (isLarger("endpoint_hits")) yield* old.endpointHits.copyInto(next.endpointHits);
  if (isLarger("endpoint_connections")) yield* old.endpointConnections.copyInto(next.endpointConnections);
}

function reopen(shim: Shim, fd: number, name: string): number {
  const copy = openMapById(shim, mapInfo(shim, fd).id);
  if (copy === undefined) throw new Error(`map ${name} is gone while it is open`);
  return copy;
}
