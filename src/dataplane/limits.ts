/**
 * The limits of connections as the kernel holds them (maps connection_limits and active_connections): one for each cluster.
 *
 * A limit is there before a service port names it, and stays until none does and no connection counts under it.
 */

import type { workload } from "../../ffi/mod.ts";
import { hashText } from "../mesh/mod.ts";
import { limitWord } from "./frontend_tag.ts";
import type { SocketMaps } from "./programs.ts";

type LimitMaps = Pick<SocketMaps, "connectionLimits" | "activeConnections">;

/** One limit. */
export interface Limit {
  /** Its key in both maps, never 0. */
  readonly id: number;
  /** `undefined`: an earlier agent's, and it is not known yet whose. */
  cluster: string | undefined;
  /** The most connections that the kernel was told; `undefined`: it was told none. */
  most: number | undefined;
  /** How many services name it, did until less than a grace period ago, or will with a plan that is under way. */
  users: number;
}

/** All limits. */
export interface Limits {
  readonly byId: Map<number, Limit>;
  readonly byCluster: Map<string, Limit>;
  /**
   * Those that nothing has named for longer than a grace period, and those that were found: they go when their connections are gone,
   * but for those that the first plan wants.
   */
  readonly idle: Set<Limit>;
}

export function emptyLimits(): Limits {
  return { byId: new Map(), byCluster: new Map(), idle: new Set() };
}

/** Reads what an earlier agent left. The kernel knows no clusters: `limitOf` finds each by its id again. */
export function readLimits({ connectionLimits, activeConnections }: LimitMaps): Limits {
  const limits = emptyLimits();
  const add = (id: number, most: number | undefined) => {
    const limit = { id, cluster: undefined, most, users: 0 };
    limits.byId.set(id, limit);
    limits.idle.add(limit);
  };
  const words = new Map(connectionLimits.entries());
  const counted = new Set(activeConnections.entries().map(([id]) => id));
  for (const id of counted.union(new Set(words.keys()))) {
    const word = words.get(id);
    // A count that is lost, or a word that is damaged, is written anew when somebody wants the limit.
    const isWhole = word && counted.has(id) && word.tag === limitWord(id, word.most).tag;
    add(id, isWhole ? word.most : undefined);
  }
  return limits;
}

/**
 * What to do about too small a map of limits.
 *
 * @param have clusters that it has room for
 * @param asked what --max-connection-limits says
 */
export function roomForLimits(have: number, asked: number): string {
  return asked > have
    ? `--max-connection-limits is ${asked}, but the map keeps its size until weft detach removes it: run that, then start again`
    : "raise --max-connection-limits, and run weft detach before the next start, as the map keeps its size until then";
}

const mostId = 0x7fff_ffff;

/**
 * The limit of a cluster, known from now on. Its id is a hash of the name, or the next one that is free: an agent that is started
 * again finds the same. Only where two hashes are the same may clusters change places then, those two or one of the next hash, and the
 * connections that they have with them.
 */
export function limitOf({ byId, byCluster }: Limits, cluster: string): Limit {
  const known = byCluster.get(cluster);
  if (known) return known;
  let id = (hashText(cluster) & mostId) || 1;
  while (byId.get(id)?.cluster !== undefined) id = id === mostId ? 1 : id + 1;
  const limit = byId.get(id) ?? { id, cluster, most: undefined, users: 0 };
  limit.cluster = cluster;
  byId.set(id, limit);
  byCluster.set(cluster, limit);
  return limit;
}

/** How many connections count under a cluster's limit now. */
export function activeUnder(
  { activeConnections }: Pick<LimitMaps, "activeConnections">,
  { byCluster }: Limits,
  cluster: string,
): number {
  const id = byCluster.get(cluster)?.id;
  return id === undefined ? 0 : Number(activeConnections.lookup(id) ?? 0n);
}

/** One more service names it. */
export function holdLimit({ idle }: Limits, limit: Limit): void {
  limit.users++;
  idle.delete(limit);
}

/** One service less names each, for longer than a grace period. */
export function leaveLimits({ byCluster, idle }: Limits, clusters: Iterable<string>): void {
  for (const cluster of clusters) {
    const limit = byCluster.get(cluster)!;
    if (--limit.users === 0) idle.add(limit);
  }
}

/** Removes the idle ones that no connection counts under. */
export function removeIdleLimits(
  { connectionLimits, activeConnections }: LimitMaps,
  { byId, byCluster, idle }: Limits,
): void {
  for (const limit of idle) {
    if (activeConnections.lookup(limit.id)) continue;
    connectionLimits.delete(limit.id);
    limit.most = undefined;
    activeConnections.delete(limit.id);
    idle.delete(limit);
    byId.delete(limit.id);
    if (limit.cluster !== undefined) byCluster.delete(limit.cluster);
  }
}

/** A limit that changes, with what was there before. */
export interface LimitEdit {
  readonly limit: Limit;
  readonly before: number | undefined;
  readonly after: number;
}

/** Writes limits: a new one counts from 0, or goes on where a count was left. */
export function writeLimits({ connectionLimits, activeConnections }: LimitMaps, edits: readonly LimitEdit[]) {
  const fresh = edits.filter(({ before, limit }) =>
    before === undefined && activeConnections.lookup(limit.id) === undefined
  );
  activeConnections.updateMany(fresh.map(({ limit: { id } }) => [id, 0n]));
  connectionLimits.updateMany(edits.map(({ limit: { id }, after }) => [id, limitWord(id, after)]));
}

/** Undoes `writeLimits`. A new one stays until it is found idle: nothing names it. */
export function restoreLimits({ connectionLimits }: LimitMaps, edits: readonly LimitEdit[]): void {
  const changed: [number, workload.ConnectionLimit][] = edits.flatMap(({ limit: { id }, before }) =>
    before === undefined ? [] : [[id, limitWord(id, before)]]
  );
  connectionLimits.updateMany(changed);
}
