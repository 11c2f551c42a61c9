/**
 * The data path: maps, programs and what they hold, as one thing that can be flushed to.
 *
 * One agent owns it. What it finds pinned it takes over; what it makes outlives it.
 */

import { closeFd, type Shim } from "../../ffi/mod.ts";
import { finish, inSlices, type Pause, type Slices, type Steps, timedSlices } from "../host/mod.ts";
import type { ServiceKey } from "../mesh/mod.ts";
import { createRecordPool, type RecordPool, takesRecords, type Watermarks } from "../records/mod.ts";
import { type Applied, emptyApplied } from "./applied.ts";
import { flush, release, releasedNothing, waitGracePeriod } from "./flush.ts";
import { readLimits, removeIdleLimits, roomForLimits } from "./limits.ts";
import {
  closeMeshMaps,
  copyCounts,
  createMeshMaps,
  type FirstSizes,
  foreignMap,
  growMeshMaps,
  type MeshMaps,
  type MeshSizes,
  openMeshMaps,
  pinMeshMaps,
} from "./maps.ts";
import { exists, type PinPaths, promoteNextMaps, recoverMaps, removePins } from "./pins.ts";
import { abandonPlan, commitPlan, isEmpty, type Plan, planFlush, type ServiceTarget } from "./plan/mod.ts";
import {
  attachPrograms,
  type Features,
  type LoadedPrograms,
  loadPrograms,
  openSocketMaps,
  pinSocketMaps,
  type ReplacedLink,
  type SocketMaps,
  type SocketSizes,
} from "./programs.ts";
import { type Found, readBack, readBackInSteps } from "./read_back.ts";
import { neededSizes, sizesFor } from "./sizes.ts";

export interface DatapathOptions {
  readonly paths: PinPaths;
  /** Of the first generation; those that are pinned keep theirs. */
  readonly sizes: FirstSizes;
  readonly socketSizes: SocketSizes;
  /** What the programs are attached to. */
  readonly cgroup: { readonly fd: number; readonly id: bigint };
  readonly features: Pick<Features, "setRetval" | "mptcp">;
  /**
   * After how many failed connects in a row an endpoint is told of in map failure_events; 0: nobody watches connects.
   *
   * @default {0}
   */
  readonly consecutiveFailures?: number;
  /** How records are published (ArrayOfMaps.publish). */
  readonly publishThreads: number;
  /** When the record pool grows and shrinks. */
  readonly watermarks: Watermarks;
  /** The most slots that map records may have: a mesh that needs more is refused. */
  readonly maxRecords: number;
  /** How long work is done in slices. @default {timedSlices} */
  readonly slices?: Slices;
}

/** Map records is nearly full, and moves to a larger generation, when this share of its slots is needed. */
const nearlyFull = 0.9;

/** How long a larger generation that was only for spares is not tried again after it failed, in milliseconds. */
const growAgainMs = 30_000;

/** What one flush did. */
export interface FlushReport {
  readonly services: number;
  readonly endpointsWritten: number;
  readonly recordsPublished: number;
  readonly durationMs: number;
  /** Why something that is done off the flush path failed: freeing, spares, a larger generation. It is tried again. */
  readonly backgroundError: string | undefined;
  /** What was found wrong in the kernel, and put right by this flush. */
  readonly repaired: readonly string[];
  /** The maps' sizes, where the flush needed a larger generation. */
  readonly grownTo: MeshSizes | undefined;
}

export interface Datapath {
  /** The current generation; there is one after the first flush, or where one was taken over. */
  readonly maps: MeshMaps | undefined;
  readonly sockets: SocketMaps;
  readonly applied: Applied;
  readonly pool: RecordPool;
  /** Whether the kernel was serving when the agent started. */
  readonly tookOver: boolean;
  /**
   * Moves the kernel there. The first one must name every service.
   *
   * @throws {KernelError} the kernel is as it was
   */
  flush(changes: Iterable<readonly [ServiceKey, ServiceTarget] | undefined>): Promise<FlushReport>;
  /** Attaches the programs (or replaces those that run) over the current maps. Nothing may be flushed meanwhile. */
  attach(): Promise<ReplacedLink[]>;
  /**
   * Compares map records with what the agent knows of it.
   *
   * @returns what was put right, and whether records are lost, so that the kernel must be reread
   */
  audit(): Promise<{ readonly repairs: readonly string[]; readonly lost: readonly number[] }>;
  /** Why something off the flush path failed last, until it is done. */
  readonly backgroundError: string | undefined;
  /** Waits for what earlier flushes left to do in the background, and for an audit under way. */
  settle(): Promise<void>;
  /** Forgets what it knows and reads the kernel back; the next flush must name every service. */
  reread(): Promise<void>;
  close(): void;
}

/** Opens what is pinned below the root, or gets ready to make it. Nothing is attached yet. */
export function openDatapath(shim: Shim, options: DatapathOptions): Datapath {
  const { paths, publishThreads, slices = timedSlices } = options;
  recoverMaps(paths);
  let maps = openMeshMaps(shim, paths.maps);
  let pinned = maps !== undefined;
  const tookOver = pinned;
  let sockets = openSocketMaps(shim, paths.sockets, options.socketSizes);
  let object: LoadedPrograms | undefined;
  let state: { applied: Applied; pool: RecordPool; found: Found | undefined };
  let background: Promise<void> = Promise.resolve();
  /** Looking map records over, and putting another map (or another knowledge of it) in its place: never both at a time. */
  let auditing: Promise<unknown> = Promise.resolve();
  let replacing: Promise<unknown> = Promise.resolve();
  /** Whether the background has work that has not begun, and so will do what is owed by then. */
  let tending = false;
  /** What flushes released, to be made usable in the background. */
  let owed: Plan["released"][] = [];
  let backgroundError: string | undefined;
  let growthError: { readonly reason: string; readonly at: number } | undefined;
  let first = true;
  /** Whether the programs look into `ranges`: from the first range on, so that they cost nothing before. */
  let hasRanges = false;

  /** Writes all lines: an agent that was killed may have changed `frontends` only, and there may be lines of what is gone. */
  function fillLines({ frontends, frontendLines }: MeshMaps): Steps<void> {
    return frontendLines.fill(frontends.entries());
  }

  /** Takes what was found in the kernel for what is applied. */
  function adoptState(found: Found | undefined): void {
    const applied = emptyApplied(readLimits(sockets));
    for (const [range, id] of found?.ranges ?? []) applied.rangeIds.set(range, id);
    applied.nextRangeId.value = found?.nextRangeId ?? 0;
    hasRanges ||= applied.rangeIds.size > 0;
    for (const port of found?.servicePorts.values() ?? []) {
      applied.servicePortIds.reserve(port.id);
    }
    for (const index of found?.named ?? []) applied.endpointIndexes.reserve(index);
    for (const [index, { generation, usable }] of found?.endpoints ?? []) {
      applied.generations.set(index, generation);
      if (usable) applied.endpointIndexes.reserve(index);
    }
    const pool = createRecordPool({
      shim,
      outer: () => maps!.records,
      size: () => (maps ?? options).sizes.records,
      threads: publishThreads,
      watermarks: options.watermarks,
      counts: state?.pool.counts,
      found: found?.slots,
    });
    state = { applied, pool, found };
    first = true;
  }
  if (maps) finish(fillLines(maps));
  adoptState(maps && readBack(maps));
  if (maps && !takesRecords(maps.records)) {
    closeMeshMaps(shim, maps);
    throw new Error(foreignMap(paths.maps, "records", "its inner maps are of another shape than expected"));
  }

  /**
   * Makes usable what all flushes so far released, after one grace period for all of them. What fails stays owed, and is tried again
   * the next time.
   */
  async function payOwed(): Promise<void> {
    const { applied, pool } = state;
    const { limits } = applied;
    const count = owed.length;
    if (owed.every(releasedNothing) && limits.idle.size === 0) {
      owed = [];
      return;
    }
    await waitGracePeriod(shim);
    const failures: unknown[] = [];
    // Flushes may have released more meanwhile.
    for (const one of owed.splice(0, count)) {
      try {
        release({ applied, pool }, one);
      } catch (error) {
        failures.push(error);
        owed.push(one);
      }
    }
    removeIdleLimits(sockets, limits);
    if (failures.length > 0) throw failures[0];
  }

  /** Frees what was replaced, then grows and shrinks the pool. */
  function tendInBackground(): void {
    if (tending) return;
    tending = true;
    background = background.catch(() => {}).then(async () => {
      tending = false;
      try {
        await payOwed();
        await state.pool.tend();
        backgroundError = undefined;
      } catch (error) {
        backgroundError = messageOf(error);
        throw error;
      }
    });
    // Whoever settles, and the next flush's report, tell of a failure.
    background.catch(() => {});
  }

  async function load(over: MeshMaps): Promise<LoadedPrograms> {
    const loaded = await loadPrograms(shim, over, sockets, {
      setRetval: options.features.setRetval,
      mptcp: options.features.mptcp,
      ranges: hasRanges,
      consecutiveFailures: options.consecutiveFailures ?? 0,
    });
    pinSocketMaps(shim, loaded, paths.sockets);
    if (sockets.exemptFd === undefined) sockets = openSocketMaps(shim, paths.sockets, options.socketSizes);
    return loaded;
  }

  async function attach(): Promise<ReplacedLink[]> {
    if (!maps) throw new Error("there are no maps before the first flush");
    const current = maps;
    const pinnedNow = !pinned;
    const hadSockets = exists(paths.sockets);
    if (pinnedNow) {
      removePins(paths.nextMaps);
      pinMeshMaps(shim, current, paths.nextMaps);
      promoteNextMaps(paths);
      pinned = true;
    }
    let loaded: LoadedPrograms | undefined;
    try {
      loaded = await load(current);
      const replaced = attachPrograms(shim, loaded, options.cgroup, paths.links);
      object?.[Symbol.dispose]();
      object = loaded;
      return replaced;
    } catch (error) {
      loaded?.[Symbol.dispose]();
      if (pinnedNow) {
        // Nothing uses them: the next start begins anew.
        removePins(paths.maps);
        if (!hadSockets) removePins(paths.sockets);
        pinned = false;
      }
      throw error;
    }
  }

  /** Waits for what uses map records off the flush path, and keeps it waiting. */
  function replace(action: () => Promise<void> | void): Promise<void> {
    const before = Promise.allSettled([background, auditing]);
    const replaced = before.then(action);
    replacing = replaced.catch(() => {});
    return replaced;
  }

  function audit(): ReturnType<RecordPool["audit"]> {
    const done = replacing.then(() => state.pool.audit());
    auditing = Promise.allSettled([auditing, done]);
    return done;
  }

  /** Moves programs and pins over to larger maps; the old ones serve until then. Nothing else may use them meanwhile. */
  async function grow(sizes: MeshSizes): Promise<void> {
    const next = await growMeshMaps(shim, maps!, sizes, publishThreads, slices());
    let loaded: LoadedPrograms | undefined;
    try {
      removePins(paths.nextMaps);
      pinMeshMaps(shim, next, paths.nextMaps);
      loaded = await load(next);
      await inSlices(copyCounts(maps!, next), slices());
      attachPrograms(shim, loaded, options.cgroup, paths.links);
    } catch (error) {
      loaded?.[Symbol.dispose]();
      removePins(paths.nextMaps);
      closeMeshMaps(shim, next);
      throw error;
    }
    promoteNextMaps(paths);
    closeMeshMaps(shim, maps!);
    object?.[Symbol.dispose]();
    object = loaded;
    maps = next;
  }

  /** Lets the programs look into `ranges`, where this plan has the first one. */
  async function ensureRanges(plan: Plan): Promise<void> {
    if (hasRanges || !plan.ranges.some((edit) => edit.after !== undefined)) return;
    hasRanges = true;
    if (!object) return;
    let loaded: LoadedPrograms | undefined;
    try {
      loaded = await load(maps!);
      attachPrograms(shim, loaded, options.cgroup, paths.links);
    } catch (error) {
      loaded?.[Symbol.dispose]();
      hasRanges = false;
      throw error;
    }
    object[Symbol.dispose]();
    object = loaded;
  }

  /** Limits do not move to a larger map: sockets refer to the one that is there. */
  function ensureLimits(): void {
    const { byId, idle } = state.applied.limits;
    const most = sockets.connectionLimits.maxEntries;
    if (byId.size <= most) return;
    removeIdleLimits(sockets, state.applied.limits);
    if (byId.size <= most) return;
    throw new Error(
      `map connection_limits has room for ${most} clusters, and ${byId.size} need it (${idle.size} of them only until the ` +
        `connections that count under them are closed): ${
          roomForLimits(most, options.socketSizes.connectionLimits)
        }`,
    );
  }

  /** Moves to larger maps where this plan, or the spares that it asks for, need them. */
  async function ensureRoom(plan: Plan, pause: Pause): Promise<MeshSizes | undefined> {
    const needed = neededSizes(state.applied, state.pool, plan, state.found);
    const have = maps?.sizes ?? { endpointConnections: 1, ...options.sizes };
    ensureLimits();
    if (needed.records > Math.max(options.maxRecords, have.records)) {
      throw new Error(
        `map records needs ${needed.records} slots, and may have ${options.maxRecords}: raise --max-records`,
      );
    }
    // Where no record is taken no spare is missing but those that are missing already.
    const spares = plan.records.length > 0 || growthError ? state.pool.endWithSpares() : 0;
    const withSpares = Math.ceil(spares / nearlyFull);
    const records = Math.min(
      Math.max(needed.records, withSpares),
      Math.max(options.maxRecords, have.records),
    );
    // When all records change at once, the old slots are free only after a grace period.
    const sizes = sizesFor(have, { ...needed, records }, options.maxRecords, 2 * needed.records);
    if (!maps) {
      maps = await createMeshMaps(shim, sizes, pause);
      return undefined;
    }
    if (sizes === have) {
      growthError = undefined;
      return undefined;
    }
    const onlyForSpares = sizesFor(have, needed, options.maxRecords) === have;
    if (onlyForSpares && growthError && performance.now() < growthError.at + growAgainMs) return undefined;
    try {
      await replace(() => grow(sizes));
    } catch (error) {
      if (!onlyForSpares) throw error;
      growthError = {
        reason: `map records is nearly full, and there is no larger one: ${messageOf(error)}`,
        at: performance.now(),
      };
      return undefined;
    }
    growthError = undefined;
    return sizes;
  }

  return {
    get maps() {
      return maps;
    },
    get sockets() {
      return sockets;
    },
    get applied() {
      return state.applied;
    },
    get pool() {
      return state.pool;
    },
    tookOver,
    flush: async (changes) => {
      const started = performance.now();
      const gracePeriod = () => waitGracePeriod(shim);
      // Connections may have read what another agent, or a flush that could not be undone, replaced just now.
      if (first && state.found) await gracePeriod();
      const pause = slices();
      const found = first ? state.found : undefined;
      const plan = await planFlush(state.applied, state.pool, changes, found, pause);
      let grownTo: MeshSizes | undefined;
      try {
        grownTo = await ensureRoom(plan, pause);
        await ensureRanges(plan);
      } catch (error) {
        abandonPlan(plan, state.applied, state.pool);
        throw error;
      }
      if (!isEmpty(plan)) {
        const { applied, pool } = state;
        const target = { maps: maps!, sockets, pool, applied, pause, gracePeriod };
        await flush(target, plan);
        owed.push(plan.released);
      } else {
        commitPlan(plan, state.applied);
      }
      const repaired = first ? state.found?.problems ?? [] : [];
      first = false;
      state.found = undefined;
      const report = {
        services: plan.services,
        endpointsWritten: plan.endpoints.length,
        recordsPublished: plan.records.length,
        durationMs: performance.now() - started,
        backgroundError: backgroundError ?? growthError?.reason,
        repaired,
        grownTo,
      };
      if (plan.records.length + owed.length > 0 || backgroundError) tendInBackground();
      return report;
    },
    attach,
    audit,
    get backgroundError() {
      return backgroundError ?? growthError?.reason;
    },
    settle: async () => {
      await auditing;
      await background;
    },
    reread: () =>
      replace(async () => {
        const pause = slices();
        const records = await maps?.records.read();
        const found = maps && await inSlices(readBackInSteps(maps, records!), pause);
        if (maps) await inSlices(fillLines(maps), pause);
        // Reading back has found what is left over.
        owed = [];
        adoptState(found);
      }),
    close: () => {
      object?.[Symbol.dispose]();
      if (maps) closeMeshMaps(shim, maps);
      closeFd(shim, sockets.buckets.fd);
      closeFd(shim, sockets.peers.fd);
      closeFd(shim, sockets.flows.fd);
      closeFd(shim, sockets.connectionLimits.fd);
      closeFd(shim, sockets.activeConnections.fd);
      if (sockets.exemptFd !== undefined) closeFd(shim, sockets.exemptFd);
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
