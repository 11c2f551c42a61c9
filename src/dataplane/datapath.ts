/**
 * The data path: maps, programs and what they hold, as one thing that can be flushed to.
 *
 * One agent owns it. What it finds pinned it takes over; what it makes outlives it.
 */

import { closeFd, type LoadedObject, type Shim } from "../../ffi/mod.ts";
import type { ServiceKey } from "../mesh/mod.ts";
import { createRecordPool, type IndexAllocator, type RecordPool } from "../records/mod.ts";
import { type Applied, emptyApplied } from "./applied.ts";
import type { DesiredService } from "./desired.ts";
import { flush, waitGracePeriod } from "./flush.ts";
import {
  closeMeshMaps,
  createMeshMaps,
  growMeshMaps,
  type MeshMaps,
  type MeshSizes,
  openMeshMaps,
  pinMeshMaps,
} from "./maps.ts";
import { exists, type PinPaths, promoteNextMaps, recoverMaps, removePins } from "./pins.ts";
import { isEmpty, type Plan, planFlush } from "./plan.ts";
import {
  attachPrograms,
  type Features,
  loadPrograms,
  openSocketMaps,
  pinSocketMaps,
  type ReplacedLink,
  type SocketMaps,
  type SocketSizes,
} from "./programs.ts";
import { type Found, readBack } from "./read_back.ts";

export interface DatapathOptions {
  readonly paths: PinPaths;
  /** Of the first generation; those that are pinned keep theirs. */
  readonly sizes: MeshSizes;
  readonly socketSizes: SocketSizes;
  /** What the programs are attached to. */
  readonly cgroup: { readonly fd: number; readonly id: bigint };
  readonly features: Features;
  /** How records are published (ArrayOfMaps.publish). */
  readonly publishThreads: number;
}

/** What one flush did. */
export interface FlushReport {
  readonly services: number;
  readonly endpointsWritten: number;
  readonly recordsPublished: number;
  readonly durationMs: number;
  /** Why what earlier flushes replaced is not free yet; it is tried again after this flush. */
  readonly releaseError: string | undefined;
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
  flush(changes: readonly (readonly [ServiceKey, DesiredService | undefined])[]): Promise<FlushReport>;
  /** Attaches the programs (or replaces those that run) over the current maps. */
  attach(): ReplacedLink[];
  /** Waits for what earlier flushes left to do in the background. */
  settle(): Promise<void>;
  /** Forgets what it knows and reads the kernel back; the next flush must name every service. */
  reread(): Promise<void>;
  close(): void;
}

/** Opens what is pinned below the root, or gets ready to make it. Nothing is attached yet. */
export function openDatapath(shim: Shim, options: DatapathOptions): Datapath {
  const { paths, publishThreads } = options;
  recoverMaps(paths);
  let maps = openMeshMaps(shim, paths.maps);
  let pinned = maps !== undefined;
  const tookOver = pinned;
  let sockets = openSocketMaps(shim, paths.sockets, options.socketSizes);
  let object: LoadedObject | undefined;
  let state: { applied: Applied; pool: RecordPool; found: Found | undefined };
  let background: Promise<void> = Promise.resolve();
  /** What flushes left to do, to be done in the background. */
  let owed: (() => Promise<void>)[] = [];
  let releaseError: string | undefined;
  let first = true;

  function readState(): void {
    const found = maps && readBack(maps);
    const applied = emptyApplied();
    // The length of an orphan does not matter: it goes after the first flush.
    const usedSlots = new Map((found?.orphanSlots ?? []).map((slot) => [slot, 0]));
    for (const port of found?.servicePorts.values() ?? []) {
      applied.servicePortIds.reserve(port.id);
      if (!port.tier) continue;
      usedSlots.set(port.tier.slot, port.tier.capacity);
      for (const row of port.tier.rows) applied.endpointIndexes.reserve(row.index);
    }
    for (const [index, { generation, usable }] of found?.endpoints ?? []) {
      applied.generations.set(index, generation);
      if (usable) applied.endpointIndexes.reserve(index);
    }
    state = { applied, pool: createRecordPool(() => maps!.records, publishThreads, usedSlots), found };
    first = true;
  }
  readState();

  /** What fails stays owed, and is tried again the next time. */
  async function payOwed(): Promise<void> {
    const tried = owed;
    owed = [];
    const results = await Promise.allSettled(tried.map((release) => release()));
    owed.unshift(...tried.filter((_, i) => results[i].status === "rejected"));
    const failed = results.find((result) => result.status === "rejected");
    releaseError = failed && String(failed.reason);
    if (failed) throw failed.reason;
  }

  function payInBackground(): void {
    background = background.catch(() => {}).then(payOwed);
    // Whoever settles, and the next flush's report, tell of a failure.
    background.catch(() => {});
  }

  function load(over: MeshMaps): LoadedObject {
    const loaded = loadPrograms(shim, over, sockets, options.features);
    pinSocketMaps(shim, loaded, paths.sockets);
    if (sockets.exemptFd === undefined) sockets = openSocketMaps(shim, paths.sockets, options.socketSizes);
    return loaded;
  }

  function attach(): ReplacedLink[] {
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
    let loaded: LoadedObject | undefined;
    try {
      loaded = load(current);
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

  /** Moves programs and pins over to larger maps; the old ones serve until then. */
  async function grow(sizes: MeshSizes): Promise<void> {
    await background.catch(() => {});
    const next = await growMeshMaps(shim, maps!, sizes, publishThreads);
    let loaded: LoadedObject | undefined;
    try {
      removePins(paths.nextMaps);
      pinMeshMaps(shim, next, paths.nextMaps);
      loaded = load(next);
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

  async function ensureRoom(plan: Plan): Promise<MeshSizes | undefined> {
    const sizes = sizesFor(
      maps?.sizes ?? options.sizes,
      neededSizes(state.applied, state.pool.slots, plan, state.found),
    );
    if (!maps) {
      maps = await createMeshMaps(shim, sizes);
      return undefined;
    }
    if (sizes === maps.sizes) return undefined;
    await grow(sizes);
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
      const plan = planFlush(state.applied, state.pool.slots, changes, first ? state.found : undefined);
      let grownTo: MeshSizes | undefined;
      try {
        grownTo = await ensureRoom(plan);
      } catch (error) {
        giveBackPlan(plan, state);
        throw error;
      }
      if (!isEmpty(plan)) {
        const target = { maps: maps!, pool: state.pool, applied: state.applied, gracePeriod };
        const release = await flush(target, plan);
        owed.push(release);
      } else {
        for (const [key, service] of plan.next) {
          if (service) state.applied.services.set(key, service);
          else state.applied.services.delete(key);
        }
      }
      first = false;
      state.found = undefined;
      const report = {
        services: changes.length,
        endpointsWritten: plan.endpoints.length,
        recordsPublished: plan.records.length,
        durationMs: performance.now() - started,
        releaseError,
        grownTo,
      };
      if (owed.length > 0) payInBackground();
      return report;
    },
    attach,
    settle: () => background,
    reread: async () => {
      await background.catch(() => {});
      // Reading back finds what is left over.
      owed = [];
      readState();
    },
    close: () => {
      object?.[Symbol.dispose]();
      if (maps) closeMeshMaps(shim, maps);
      closeFd(shim, sockets.buckets.fd);
      closeFd(shim, sockets.peers.fd);
      closeFd(shim, sockets.flows.fd);
      if (sockets.exemptFd !== undefined) closeFd(shim, sockets.exemptFd);
    },
  };
}

function giveBackPlan(plan: Plan, state: { applied: Applied; pool: RecordPool }): void {
  for (const slot of plan.taken.slots) state.pool.slots.giveBack(slot);
  for (const id of plan.taken.ids) state.applied.servicePortIds.giveBack(id);
  for (const index of plan.taken.indexes) state.applied.endpointIndexes.giveBack(index);
}

/** The entries that each map must have room for while and after this plan is carried out. */
function neededSizes(
  applied: Applied,
  slots: IndexAllocator,
  plan: Plan,
  found: Found | undefined,
): MeshSizes {
  let frontends = found?.frontends.size ?? 0;
  for (const service of applied.services.values()) frontends += service.frontends.size;
  // New ones come before old ones go.
  for (const edit of plan.frontends) if (edit.before === undefined) frontends++;
  return {
    frontends,
    services: applied.servicePortIds.end,
    endpoints: applied.endpointIndexes.end,
    records: slots.end,
  };
}

/** The same sizes where all is large enough; else the next powers of two for those that are not. */
function sizesFor(have: MeshSizes, need: MeshSizes): MeshSizes {
  const grow = (name: keyof MeshSizes) => {
    let size = have[name];
    while (size < need[name]) size *= 2;
    return size;
  };
  const sizes = {
    frontends: grow("frontends"),
    services: grow("services"),
    endpoints: grow("endpoints"),
    records: grow("records"),
  };
  const enough = (Object.keys(sizes) as (keyof MeshSizes)[]).every((name) => sizes[name] === have[name]);
  return enough ? have : sizes;
}
