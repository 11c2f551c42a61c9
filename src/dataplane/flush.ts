/** Flush: carries a plan out. Either all of it is in the kernel afterwards, or the kernel is as it was. */

import type { Shim, workload } from "../../ffi/mod.ts";
import { check } from "../../ffi/mod.ts";
import { finish, inSlices, type Pause, type Steps } from "../host/mod.ts";
import type { RecordPool } from "../records/mod.ts";
import type { Applied } from "./applied.ts";
import { frontendKey, rangeKeyOf } from "./frontend_key.ts";
import { frontendWord, rangeWord } from "./frontend_tag.ts";
import { leaveLimits, restoreLimits, writeLimits } from "./limits.ts";
import type { MeshMaps } from "./maps.ts";
import { abandonPlan, commitPlan, isFirstUse, kernelEndpoint, type Plan } from "./plan/mod.ts";
import type { SocketMaps } from "./programs.ts";

/** Undoing failed as well: what the kernel holds is unknown and must be read back. */
export class KernelStateUnknown extends Error {
  override readonly name = "KernelStateUnknown";
}

/** What is written before others have had their turn: some milliseconds' worth, one call. 5,000 service ports take three. */
const entriesAtOnce = 1700;

/** Where a flush writes. */
export interface FlushTarget {
  readonly maps: MeshMaps;
  readonly sockets: SocketMaps;
  readonly pool: RecordPool;
  readonly applied: Applied;
  /** Called between parts of what is written. */
  readonly pause: Pause;
  /** Waits until every reader that could have seen an older value is done. */
  readonly gracePeriod: () => Promise<void>;
}

/** Waits for an RCU grace period through membarrier(2); 6–8 ms. */
export async function waitGracePeriod(shim: Shim): Promise<void> {
  check(await shim.call.weft_grace_period(), "wait for", "a grace period (membarrier)");
}

/**
 * Writes a plan.
 *
 * What the plan released is left to do, off the flush path: see `release`.
 *
 * @throws {KernelError} after undoing what was done
 * @throws {KernelStateUnknown} where undoing failed too
 */
export async function flush(target: FlushTarget, plan: Plan): Promise<void> {
  const { maps, sockets, pool, applied, pause } = target;
  const undo: (() => void)[] = [];
  // What undoes a step is noted before it: a batch that fails midway has done a part.
  const step = (action: () => void, inverse: () => void) => {
    undo.push(inverse);
    action();
  };
  /** As `step`, with one part after the other, so that nobody waits for all of a large one. */
  const steps = async <T>(
    all: readonly T[],
    action: (some: readonly T[]) => Steps<void> | void,
    inverse: () => void,
  ) => {
    undo.push(inverse);
    for (let at = 0; at < all.length; at += entriesAtOnce) {
      const rest = action(all.slice(at, at + entriesAtOnce));
      if (rest) await inSlices(rest, pause);
      await pause();
    }
  };
  try {
    await resetHits(target, plan);
    await steps(
      plan.endpoints,
      (some) => writeEndpoints(target, some),
      // A UDP socket may have been given one before a later step failed.
      () => maps.endpoints.storeMany(plan.endpoints.map((row) => kernelEndpoint(row, false))),
    );
    await pool.publish(plan.records, pause);
    step(
      () => pool.write(plan.recordWrites.map((write) => write.after)),
      () =>
        pool.write(plan.recordWrites.map((write) => write.before).filter((write) => write.writes.length > 0)),
    );
    const limits = [...plan.limits.values()];
    await steps(
      limits,
      (some) => writeLimits(sockets, some),
      () => restoreLimits(sockets, limits),
    );
    await steps(
      plan.servicePorts,
      (some) => writeServicePorts(maps, some, "after"),
      () => writeServicePorts(maps, plan.servicePorts, "before"),
    );
    const { put, whole, gone } = frontendSteps(plan.frontends);
    const frontends = (edits: Plan["frontends"]) =>
      steps(
        edits,
        (some) => writeFrontends(target, some, "after"),
        () => finish(writeFrontends(target, edits, "before")),
      );
    const ranges = (edits: Plan["ranges"]) =>
      step(() => writeRanges(maps, edits, "after"), () => writeRanges(maps, edits, "before"));
    await frontends(put);
    // A range is there only while its frontends are.
    ranges(plan.ranges.filter((edit) => edit.after === undefined));
    await frontends(whole);
    ranges(plan.ranges.filter((edit) => edit.after !== undefined));
    await frontends(gone);
    await steps(
      plan.retired,
      (some) => maps.endpoints.storeMany(some.map((row) => kernelEndpoint(row, false))),
      () => maps.endpoints.storeMany(plan.retired.map((row) => kernelEndpoint(row, true))),
    );
  } catch (error) {
    await rollBack(target, plan, undo, error);
    throw error;
  }
  commitPlan(plan, applied);
}

async function rollBack(
  target: FlushTarget,
  plan: Plan,
  undo: (() => void)[],
  cause: unknown,
): Promise<void> {
  try {
    for (const step of undo.reverse()) {
      step();
      // A reader may have followed a word that is undone now: it must not meet what is undone next.
      await target.gracePeriod();
    }
    abandonPlan(plan, target.applied, target.pool);
  } catch (error) {
    throw new KernelStateUnknown(
      `undoing a failed flush failed too (${messageOf(error)}), after: ${messageOf(cause)}`,
      {
        cause: error,
      },
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Makes what a plan released usable again; a grace period has passed since it was carried out. Where it fails it can be tried again. */
export function release(
  { pool, applied }: Pick<FlushTarget, "pool" | "applied">,
  { slots, ids, indexes, limits }: Plan["released"],
): void {
  pool.release(slots);
  for (const id of ids) applied.servicePortIds.giveBack(id);
  for (const index of indexes) applied.endpointIndexes.giveBack(index);
  leaveLimits(applied.limits, limits);
}

/** Whether a plan released nothing, so that there is no grace period to wait for. */
export function releasedNothing({ slots, ids, indexes, limits }: Plan["released"]): boolean {
  return slots.length + ids.length + indexes.length + limits.length === 0;
}

/**
 * An index counts anew when it is given to another endpoint; nothing refers to it now, so the kernel does not count. One that was never
 * used has counted nothing.
 */
async function resetHits({ maps, applied, pause }: FlushTarget, plan: Plan): Promise<void> {
  const isFresh = isFirstUse(applied);
  const used = plan.endpoints.filter((row) => !isFresh(row));
  for (let at = 0; at < used.length; at += entriesAtOnce) {
    const some = used.slice(at, at + entriesAtOnce);
    maps.endpointHits.updateMany(some.values().map(({ index }) => [index, 0n]), some.length);
    await pause();
  }
  maps.refusals.updateMany(plan.taken.ids.map((id) => [id, 0n]));
  await pause();
}

/** Of an index that had another endpoint before, sockets may remember that one, and look whether it is still there. */
function writeEndpoints({ maps, applied }: FlushTarget, endpoints: Plan["endpoints"]): void {
  const isFresh = isFirstUse(applied);
  const fresh = endpoints.filter((row) => isFresh(row));
  maps.endpoints.updateMany(fresh.values().map((row) => kernelEndpoint(row, true)), fresh.length);
  maps.endpoints.storeMany(
    endpoints.filter((row) => !isFresh(row)).map((row) => kernelEndpoint(row, true)),
  );
}

function writeServicePorts(maps: MeshMaps, edits: Plan["servicePorts"], side: "before" | "after"): void {
  // A new service port that is undone stays as it is: nothing refers to it.
  const written = edits.filter((edit) => edit[side]);
  const values = (some: Plan["servicePorts"]) => some.map((edit) => [edit.key, edit[side]!] as const);
  maps.services.updateMany(values(written.filter((edit) => !edit.before)));
  maps.services.storeMany(values(written.filter((edit) => edit.before)));
}

/**
 * What holds for a whole VIP (port 0) changes while its ports, old and new, are all there: a port without a frontend would be
 * judged by a VIP that is not meant for it.
 */
function frontendSteps(edits: Plan["frontends"]) {
  const ports = edits.filter((edit) => edit.key.port !== 0);
  return {
    put: ports.filter((edit) => edit.after !== undefined),
    whole: edits.filter((edit) => edit.key.port === 0),
    gone: ports.filter((edit) => edit.after === undefined),
  };
}

function writeRanges(maps: MeshMaps, edits: Plan["ranges"], side: "before" | "after"): void {
  const puts: [workload.RangeKey, workload.Range][] = [];
  const deletes: workload.RangeKey[] = [];
  for (const edit of edits) {
    const key = rangeKeyOf(edit.key);
    const id = edit[side];
    if (id === undefined) deletes.push(key);
    else puts.push([key, rangeWord(key, id)]);
  }
  maps.ranges.updateMany(puts);
  maps.ranges.deleteMany(deletes);
}

/**
 * Yields before the lines are put: until then one may name the service port that `frontends` had before, which stays what it was until
 * the flush is over.
 */
function* writeFrontends(
  { maps, applied }: FlushTarget,
  edits: Plan["frontends"],
  side: "before" | "after",
): Steps<void> {
  const puts: [workload.FrontendKey, workload.Frontend][] = [];
  const deletes: workload.FrontendKey[] = [];
  for (const edit of edits) {
    const key = frontendKey(applied, edit.key);
    const id = edit[side];
    if (id === undefined) deletes.push(key);
    else puts.push([key, frontendWord(key, id)]);
  }
  // A line never has what `frontends` has not.
  maps.frontendLines.delete(deletes);
  maps.frontends.deleteMany(deletes);
  maps.frontends.updateMany(puts);
  yield;
  maps.frontendLines.put(puts);
}
