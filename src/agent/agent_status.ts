/** What `weft status` shows of a running agent. */

import type { Shim } from "../../ffi/mod.ts";
import {
  type Controller,
  type Datapath,
  hooksInUse,
  hookStatuses,
  type PinPaths,
  roomForLimits,
} from "../dataplane/mod.ts";
import { type NodeFinder, type Place, placeOn } from "../locality/mod.ts";
import type { PersistentMap } from "../mesh/mod.ts";
import type { StatusResponse } from "../observe/api.ts";
import { meshMapStatuses, readCounters, socketMapStatuses } from "../observe/kernel_status.ts";
import type { AgentOptions } from "./options.ts";
import type { Outliers } from "./outliers.ts";
import type { Source } from "./source.ts";

/** What the status is made of. */
export interface StatusParts {
  readonly shim: Shim;
  readonly options: Pick<AgentOptions, "version" | "node" | "cgroup" | "maxRecords" | "socketSizes">;
  readonly paths: PinPaths;
  readonly cgroup: { readonly id: bigint };
  readonly datapath: Datapath;
  readonly controller: Controller;
  readonly node: NodeFinder;
  readonly source: Source;
  readonly startedAt: Date;
  readonly attached: boolean;
  /** `undefined`: endpoints are not set aside. */
  readonly outliers: Outliers | undefined;
}

/** The node's place as one flat record. */
function placeView({ network, node, clusterId, locality }: Place) {
  return { network, node, clusterId, ...locality };
}

/** The agent's status: links, maps and counters as the kernel has them now. */
export function agentStatus(parts: StatusParts): StatusResponse {
  const { shim, options, paths, cgroup, datapath, controller, source } = parts;
  const { maps, applied, pool, sockets } = datapath;
  const state = controller.state;
  const programs = hookStatuses(shim, paths.links, cgroup.id, hooksInUse(parts.outliers !== undefined));
  const bad = parts.attached ? programs.filter((program) => program.state !== "attached") : [];
  const counters = maps ? readCounters(maps) : {};
  const use = {
    frontends: applied.frontendCount.value,
    services: applied.servicePortIds.used + 2,
    endpoints: applied.endpointIndexes.used,
    records: pool.used,
  };
  const errors = [
    ...bad.map((program) => `the link on ${program.hook} is ${program.state}: restart the agent`),
    ...source.errors,
    ...state.error === undefined ? [] : [state.error],
  ];
  return {
    ready: parts.attached && bad.length === 0 && state.firstFlushDone,
    agent: {
      pid: Deno.pid,
      version: options.version,
      startedAt: parts.startedAt.toISOString(),
      source: source.name,
      ...placeView(state.place ?? placeOn(options.node.network)),
    },
    pinRoot: paths.root,
    cgroup: options.cgroup,
    programs,
    maps: maps
      ? [...meshMapStatuses(maps, use, pool.memory()), ...socketMapStatuses(sockets)]
      : socketMapStatuses(sockets),
    counters,
    mesh: {
      services: state.applied.services.size,
      workloads: state.applied.workloads.size,
      policies: state.applied.policies.size,
    },
    controlPlane: source.controlPlane ?? null,
    flushes: state.flushes,
    lastFlush: state.lastFlush
      ? {
        at: state.lastFlush.at.toISOString(),
        services: state.lastFlush.services,
        endpointsWritten: state.lastFlush.endpointsWritten,
        recordsPublished: state.lastFlush.recordsPublished,
        durationMs: state.lastFlush.durationMs,
      }
      : null,
    outliers: outlierView(parts.outliers),
    needsWaypoint: keysOf(state.applied.services, ({ needsWaypoint }) => needsWaypoint),
    errors,
    warnings: [
      ...source.warnings,
      ...parts.node.warning ? [parts.node.warning] : [],
      ...stateWarnings(counters),
      ...datapath.backgroundError ? [datapath.backgroundError] : [],
      ...fullMaps(datapath, parts.options).values(),
    ],
  };
}

/** The keys of the values that are `wanted`, without a pair made of each of the others. */
function keysOf<V>(map: PersistentMap<V>, wanted: (value: V) => boolean): string[] {
  const keys: string[] = [];
  map.forEach((value, key) => {
    if (wanted(value)) keys.push(key);
  });
  return keys;
}

function outlierView(outliers: Outliers | undefined): StatusResponse["outliers"] {
  if (!outliers) return null;
  const aside = outliers.aside.values().reduce((sum, endpoints) => sum + endpoints.size, 0);
  return { aside, ...outliers.counts };
}

/** A map is nearly full when this share of it is used. */
const nearlyFull = 0.9;

/** A word before a mesh is refused: the maps that are nearly full and do not grow by themselves, or not any more. */
export function fullMaps(
  { maps, pool, sockets, applied }: Datapath,
  { maxRecords, socketSizes }: Pick<AgentOptions, "maxRecords" | "socketSizes">,
): ReadonlyMap<string, string> {
  const full = new Map<string, string>();
  const slots = maps?.sizes.records ?? 0;
  if (slots >= maxRecords && pool.used >= slots * nearlyFull) {
    full.set(
      "records",
      `map records is nearly full: ${pool.used} of ${slots} slots, and may not grow: raise --max-records`,
    );
  }
  const connectionLimits = sockets.connectionLimits.maxEntries;
  const limits = applied.limits.byId.size;
  if (limits >= connectionLimits * nearlyFull) {
    full.set(
      "connection_limits",
      `map connection_limits is nearly full: ${limits} of ${connectionLimits} clusters: ` +
        roomForLimits(connectionLimits, socketSizes.connectionLimits),
    );
  }
  return full;
}

/** What the kernel's counters mean where they should be 0. */
function stateWarnings(counters: Record<string, number>): string[] {
  const warnings: string[] = [];
  if (counters.state_full > 0) {
    warnings.push(
      `the per-socket state was full: ${counters.state_full} connects were balanced without it ` +
        "(their getpeername shows the endpoint); raise --max-sockets",
    );
  }
  if (counters.send_refused_full > 0) {
    warnings.push(
      `the per-socket state was full: ${counters.send_refused_full} UDP sends were refused; raise --max-flows`,
    );
  }
  if (counters.broken > 0) {
    warnings.push(
      `${counters.broken} look-ups found the maps contradicting each other: does something else write them?`,
    );
  }
  return warnings;
}
