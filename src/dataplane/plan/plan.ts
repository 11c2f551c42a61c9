/**
 * The plan: desired minus applied, as a list of map edits. Pure but for the indexes it takes, which `abandonPlan` gives back.
 *
 * Order of the edits (flush.ts keeps it): everything new is written aside, then published by one word each, then what is
 * old is taken away; what it leaves behind is used again only after a grace period.
 */

import { inSlices, type Pause, type Steps, timedSlices } from "../../host/mod.ts";
import type { ServiceKey } from "../../mesh/mod.ts";
import {
  type Applied,
  type AppliedFrontend,
  type AppliedService,
  type AppliedServicePort,
  type AppliedTier,
  frontendText,
  isRange,
  nearestTier,
  rangeIdOf,
} from "../applied.ts";
import type { DesiredFrontend, DesiredService, DesiredServicePort, ServiceEdit } from "../desired.ts";
import { leaveLimits } from "../limits.ts";
import { leaveId, unlistedId } from "../maps.ts";
import type { Found } from "../read_back.ts";
import { type Draft, type Edit, emptyDraft, type Plan, type RecordSource, take } from "./draft.ts";
import { placeEndpoints, type Previous, retire } from "./endpoints.ts";
import { planEdit } from "./edit.ts";
import { matchTiers, servingTier, tiersOf } from "./match.ts";
import { limitIdOf, planLimits } from "./limits.ts";
import { headOf } from "./layout.ts";
import { planTier, tierWord, writeServicePort } from "./tier.ts";

/** What becomes of a service: all of it, what changed of its members, or nothing (`undefined`: it is gone). */
export type ServiceTarget = DesiredService | ServiceEdit | undefined;

/** Whether there is nothing to write. */
export function isEmpty(plan: Plan): boolean {
  return plan.endpoints.length + plan.records.length + plan.recordWrites.length + plan.servicePorts.length +
      plan.frontends.length + plan.retired.length + plan.limits.size + plan.released.slots.length +
      plan.released.limits.length === 0;
}

/**
 * Plans the given services, in slices. Nothing else may change what is applied meanwhile.
 *
 * @param changes every service that may differ, with what becomes of it; `undefined` while that is being worked out
 * @param found what the kernel held when the agent took over: parts that match are kept, the rest goes. Only with the first
 * plan, which must name every service
 */
export async function planFlush(
  applied: Applied,
  pool: RecordSource,
  changes: Iterable<readonly [ServiceKey, ServiceTarget] | undefined>,
  found?: Found,
  pause: Pause = timedSlices(),
): Promise<Plan> {
  const draft = emptyDraft(applied, pool, found);
  const next = new Map<ServiceKey, AppliedService | undefined>();
  let services = 0;
  try {
    for (const change of changes) {
      await pause();
      if (change === undefined) continue;
      const [key, target] = change;
      services++;
      const before = applied.services.get(key);
      const isEdit = target !== undefined && "edits" in target;
      if (isEdit && before && !found && planEdit(draft, before, target)) continue;
      const desired = isEdit ? await inSlices(target.whole(), pause) : target;
      next.set(key, await inSlices(planService(draft, before, desired), pause));
    }
    if (found) removeLeftovers(draft, found, next);
  } catch (error) {
    abandonPlan(draft, applied, pool);
    throw error;
  }
  const frontends = [...draft.frontends.values()].filter((edit) => edit.before !== edit.after);
  return { ...draft, services, frontends, ranges: rangeEdits(applied, frontends), next };
}

/** A range is there as long as its frontend for all ports is. */
function rangeEdits(
  applied: Applied,
  frontends: readonly Edit<DesiredFrontend, number>[],
): Edit<string, number>[] {
  const whole = frontends.filter(({ key }) => key.port === 0 && isRange(key.address));
  return whole.filter((edit) => edit.before === undefined || edit.after === undefined).map((edit) => {
    const id = rangeIdOf(applied, edit.key.address);
    const [before, after] = edit.after === undefined ? [id, undefined] : [undefined, id];
    return { key: edit.key.address, before, after };
  });
}

/** Gives back what a plan took that was not carried out, or was undone. */
export function abandonPlan(
  plan: Pick<Plan, "taken">,
  applied: Applied,
  pool: Pick<RecordSource, "release">,
): void {
  pool.release(plan.taken.slots);
  for (const id of plan.taken.ids) applied.servicePortIds.giveBack(id);
  for (const index of plan.taken.indexes) applied.endpointIndexes.giveBack(index);
  leaveLimits(applied.limits, plan.taken.limits);
}

function* planService(
  draft: Draft,
  before: AppliedService | undefined,
  desired: DesiredService | undefined,
): Steps<AppliedService | undefined> {
  const servicePorts = new Map<string, AppliedServicePort>();
  planLimits(draft, before, desired);
  const targets = targetsOf(desired);
  const left = idsLeft(before, targets);
  for (const port of desired?.servicePorts ?? []) {
    const applied = before?.servicePorts.get(port.key);
    const previous = applied ? { port: applied, keep: !left.has(applied.id) } : adopt(draft, port, targets);
    servicePorts.set(port.key, yield* planServicePort(draft, previous, port));
  }
  for (const [key, port] of before?.servicePorts ?? []) {
    if (!servicePorts.has(key)) removeServicePort(draft, port);
  }
  const frontends = new Map<string, AppliedFrontend>();
  for (const frontend of desired?.frontends ?? []) {
    const { target } = frontend;
    const id = target.kind === "leave"
      ? leaveId
      : target.kind === "unlisted"
      ? unlistedId
      : servicePorts.get(target.key)!.id;
    const text = frontendText(frontend);
    frontends.set(text, { frontend, id });
    putFrontend(draft, text, frontend, before?.frontends.get(text)?.id, id);
  }
  for (const [text, { frontend, id }] of before?.frontends ?? []) {
    if (!frontends.has(text)) deleteFrontend(draft, text, frontend, id);
  }
  return desired && { servicePorts, frontends };
}

function putFrontend(
  draft: Draft,
  text: string,
  frontend: DesiredFrontend,
  before: number | undefined,
  after: number,
) {
  const deleted = draft.frontends.get(text);
  const kernel = before ?? deleted?.before ?? draft.found?.frontends.get(text)?.id;
  draft.frontends.set(text, { key: frontend, before: kernel, after });
}

function deleteFrontend(draft: Draft, text: string, frontend: DesiredFrontend, before: number) {
  const put = draft.frontends.get(text);
  // Another service of this plan has put its own there: that replaces ours.
  draft.frontends.set(text, { key: frontend, before, after: put?.after });
}

/** The service port that each frontend of a service leads to, by `frontendText` and `DesiredServicePort.key`. */
function targetsOf(desired: DesiredService | undefined): Map<string, string> {
  const targets = new Map<string, string>();
  for (const frontend of desired?.frontends ?? []) {
    if (frontend.target.kind === "servicePort") targets.set(frontendText(frontend), frontend.target.key);
  }
  return targets;
}

/** The ids that some frontend leads to and will not any more. */
function idsLeft(before: AppliedService | undefined, targets: ReadonlyMap<string, string>): Set<number> {
  const left = new Set<number>();
  for (const [text, { frontend, id }] of before?.frontends ?? []) {
    if (frontend.target.kind === "servicePort" && targets.get(text) !== frontend.target.key) left.add(id);
  }
  return left;
}

/** What a service port was before. */
interface PreviousPort {
  readonly port: Previous;
  /**
   * Whether it may keep its id and record. Not where a frontend leaves it: that one must lead to the old endpoints until it
   * leads elsewhere, whatever becomes of the port; nor where its record is damaged.
   */
  readonly keep: boolean;
}

/** A service port that the kernel serves already under one of this port's frontends. */
function adopt(
  draft: Draft,
  port: DesiredServicePort,
  targets: ReadonlyMap<string, string>,
): PreviousPort | undefined {
  if (!draft.found) return undefined;
  for (const [text, key] of targets) {
    const id = key === port.key ? draft.found.frontends.get(text)?.id : undefined;
    const found = id === undefined || draft.adopted.has(id) ? undefined : draft.found.servicePorts.get(id);
    if (!found) continue;
    draft.adopted.add(found.id);
    const keep = !found.damaged && found.frontends.every((text) => targets.get(text) === port.key);
    return { port: found, keep };
  }
  return undefined;
}

function* planServicePort(
  draft: Draft,
  previous: PreviousPort | undefined,
  port: DesiredServicePort,
): Steps<AppliedServicePort> {
  const kept = previous?.keep ? previous.port : undefined;
  const id = kept?.id ?? take(draft.applied.servicePortIds, draft.taken.ids);
  const ranks = new Map(
    port.tiers.map(({ rank, endpoints, portless }) => [rank, endpoints.length + portless]),
  );
  const { choice, connectionLimit } = port;
  if (choice.kind === "leastRequest") draft.countsConnections = true;
  const tiers = yield* planTiers(draft, previous?.port, kept, port);
  if (previous && !kept) releaseServicePort(draft, previous.port);
  writeServicePort(
    draft,
    id,
    kept && {
      ..."choice" in kept
        ? { ...headOf(kept.choice), limit: limitIdOf(draft.applied, kept.connectionLimit) }
        : { flags: kept.flags, choices: kept.choices, limit: kept.limit },
      tier: tierWord(servingTier(kept), Boolean(kept.mapped)),
    },
    {
      ...headOf(choice),
      limit: limitIdOf(draft.applied, connectionLimit),
      tier: tierWord(nearestTier({ ranks, tiers }), port.mapped > 0),
    },
  );
  return { id, mapped: port.mapped, ranks, tiers, choice, connectionLimit };
}

/** Places the endpoints of all tiers, and brings the records to them: each tier takes the one that most of its endpoints are in. */
function* planTiers(
  draft: Draft,
  previous: Previous | undefined,
  kept: Previous | undefined,
  { tiers, choice }: DesiredServicePort,
): Steps<Map<number, AppliedTier>> {
  const desired = tiers.map(({ endpoints }) => endpoints.filter(({ weight }) => weight > 0));
  const placed = yield* placeEndpoints(draft, previous ? tiersOf(previous) : [], desired);
  const records = kept ? tiersOf(kept) : [];
  const matched = matchTiers(records, placed);
  const left = kept && servingTier(kept);
  const planned = new Map<number, AppliedTier>();
  for (const [i, { rank }] of tiers.entries()) {
    yield;
    const record = matched[i];
    const tier = planTier(draft, record, placed[i], choice, i > 0 && record !== null && record === left);
    if (tier) planned.set(rank, tier);
  }
  for (const record of records) if (!matched.includes(record)) draft.released.slots.push(record.slot);
  return planned;
}

function releaseServicePort(draft: Draft, port: Previous): void {
  draft.released.ids.push(port.id);
  for (const { slot } of tiersOf(port)) draft.released.slots.push(slot);
  if ("damaged" in port && port.damagedSlot !== null) draft.released.slots.push(port.damagedSlot);
}

function removeServicePort(draft: Draft, port: AppliedServicePort): void {
  releaseServicePort(draft, port);
  for (const { rows } of port.tiers.values()) for (const row of rows) retire(draft, row);
}

/** Takes away what was found in the kernel and is part of nothing desired. */
function removeLeftovers(
  draft: Draft,
  found: Found,
  next: ReadonlyMap<ServiceKey, AppliedService | undefined>,
): void {
  const wanted = new Set([...next.values()].flatMap((service) => [...service?.frontends.keys() ?? []]));
  for (const [text, frontend] of found.frontends) {
    if (wanted.has(text)) continue;
    const key = { ...frontend, target: { kind: "unlisted" } } as DesiredFrontend;
    draft.frontends.set(text, { key, before: frontend.id, after: undefined });
  }
  for (const [id, port] of found.servicePorts) {
    if (!draft.adopted.has(id)) releaseServicePort(draft, port);
  }
  for (const [index, row] of found.endpoints) {
    // One that is usable though nothing names it: of a farther tier, or an agent was killed before it could retire it.
    if (draft.kept.has(index) || !(row.usable || found.named.has(index))) continue;
    draft.released.indexes.push(index);
    if (row.usable) draft.retired.push(row);
  }
}
