/** What the kernel alone can tell: with or without an agent. */

import type { Shim } from "../../ffi/mod.ts";
import { closeFd, openPin, workload } from "../../ffi/mod.ts";
import {
  countPeers,
  eventsSize,
  failureEventsSize,
  hookStatuses,
  mapMemories,
  type MeshMaps,
  openMeshMaps,
  type PinPaths,
  socketSizesOf,
} from "../dataplane/mod.ts";
import { openSocketMaps } from "../dataplane/mod.ts";
import type { StatusResponse } from "./api.ts";

type MapStatus = StatusResponse["maps"][number];

/** How full each map is. */
export interface MapUse {
  readonly frontends: number;
  readonly services: number;
  readonly endpoints: number;
  readonly records: number;
}

/** The fill levels and memory of the maps of one generation. */
export function meshMapStatuses(maps: MeshMaps, use: MapUse, innerMapBytes: number): MapStatus[] {
  const memory = mapMemories(maps);
  const { sizes } = maps;
  const of = (name: string, used: number | null, size: number, more = 0): MapStatus => ({
    name,
    used,
    size,
    bytes: (memory.get(name) ?? 0) + more,
  });
  return [
    of("frontends", use.frontends, sizes.frontends),
    of("ranges", maps.ranges.countEntries(), maps.ranges.info().maxEntries),
    of("services", use.services, sizes.services),
    of("records", use.records, sizes.records, innerMapBytes),
    of("endpoints", use.endpoints, sizes.endpoints),
    of("endpoint_hits", null, sizes.endpoints),
    of("endpoint_connections", null, sizes.endpointConnections),
    of("refusals", null, sizes.services),
    of("turns", null, sizes.services),
    of("connect_failures", null, sizes.endpoints),
    of("failure_events", null, failureEventsSize),
    of("counters", null, workload.counter.COUNTERS),
    of("events", null, eventsSize),
  ];
}

/** The fill levels of the per-socket maps, which only the kernel knows. */
export function socketMapStatuses(sockets: ReturnType<typeof openSocketMaps>): MapStatus[] {
  const sizes = socketSizesOf(sockets);
  const of = (
    name: string,
    map: { countEntries(): number; memory(): number },
    size: number,
  ): MapStatus => ({ name, used: map.countEntries(), size, bytes: map.memory() });
  return [
    {
      name: "socket_peers",
      used: countPeers(sockets),
      size: sizes.peers,
      bytes: sockets.peers.memory() + sockets.buckets.memory(),
    },
    of("flows", sockets.flows, sizes.flows),
    of("connection_limits", sockets.connectionLimits, sizes.connectionLimits),
    of("active_connections", sockets.activeConnections, sizes.connectionLimits),
  ];
}

/** The counters by name, such as `tcp_balanced`. */
export function readCounters(maps: MeshMaps): Record<string, number> {
  const entries = Object.entries(workload.counter)
    .filter(([name]) => name !== "COUNTERS")
    .map(([name, index]) => [name.replace(/^COUNTER_/, "").toLowerCase(), maps.counters.sum(index)] as const);
  return Object.fromEntries(entries);
}

/** The status where no agent runs: the pins say what the kernel serves. */
export function statusWithoutAgent(shim: Shim, paths: PinPaths, cgroup: string): StatusResponse {
  const programs = hookStatuses(shim, paths.links, undefined);
  const maps = openMeshMaps(shim, paths.maps);
  const frontends = maps ? maps.frontends.countEntries() : 0;
  const pinned = openPin(shim, `${paths.sockets}/socket_peers`);
  if (pinned !== undefined) closeFd(shim, pinned);
  const statuses = maps
    ? meshMapStatuses(maps, { frontends, services: 0, endpoints: 0, records: 0 }, 0)
      // Without the agent nobody knows which indexes are in use; frontends can be counted.
      .map((map) => map.name === "frontends" ? map : { ...map, used: null })
    : [];
  const attached = programs.filter((program) => program.state === "attached").length;
  const serving = attached > 0
    ? `the kernel goes on serving ${frontends} frontends`
    : "and nothing is attached";
  return {
    ready: false,
    agent: null,
    pinRoot: paths.root,
    cgroup,
    programs,
    maps: pinned === undefined ? statuses : [
      ...statuses,
      ...socketMapStatuses(openSocketMaps(shim, paths.sockets, { peers: 1, flows: 1, connectionLimits: 1 })),
    ],
    counters: maps ? readCounters(maps) : {},
    mesh: null,
    controlPlane: null,
    flushes: 0,
    lastFlush: null,
    outliers: null,
    needsWaypoint: [],
    errors: [`no agent is running; ${serving}`],
    warnings: [],
  };
}
