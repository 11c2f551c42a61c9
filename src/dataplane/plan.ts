/**
 * The plan: desired minus applied, as a list of map edits. Pure but for the indexes it takes, which `abandon` gives back.
 *
 * Order of the edits (flush.ts keeps it): everything new is written aside, then published by one word each, then what is
 * old is taken away; what it leaves behind is used again only after a grace period.
 */

import { workload } from "../../ffi/mod.ts";
import { addressToBytes, type ServiceKey } from "../mesh/mod.ts";
import {
  capacityFor,
  type IndexAllocator,
  type RecordContent,
  type RecordPool,
  type RecordWrite,
} from "../records/mod.ts";
import { buildAliasTable } from "./alias_table.ts";
import {
  type Applied,
  type AppliedEndpoint,
  type AppliedFrontend,
  type AppliedService,
  type AppliedServicePort,
  type AppliedTier,
  frontendText,
  isRange,
  rangeIdOf,
} from "./applied.ts";
import type { DesiredEndpoint, DesiredFrontend, DesiredService, DesiredServicePort } from "./desired.ts";
import { leaveId, unlistedId } from "./maps.ts";
import type { Found, FoundServicePort } from "./read_back.ts";

/** Above this many changed endpoints a tier is built anew and published at once instead of being edited word by word. */
const maxEditsInPlace = 16;

/**
 * A record with more room than this many times what a new one would have is moved to a smaller one; small ones are not worth it.
 */
const roomLeft = 2;
const smallRecord = 4;

/** Where plans take places for records. */
export type RecordSource = Pick<RecordPool, "acquire" | "grow" | "release">;

/** A value that changes, with what was there before (for undoing); `undefined`: nothing. */
export interface Edit<K, V> {
  readonly key: K;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

export interface Plan {
  /** Endpoints that nothing refers to yet. */
  readonly endpoints: readonly (readonly [index: number, endpoint: workload.Endpoint])[];
  /** Records that nothing refers to yet. */
  readonly records: readonly RecordContent[];
  /** Single words of published records. */
  readonly recordWrites: readonly { readonly after: RecordWrite; readonly before: RecordWrite }[];
  readonly servicePorts: readonly Edit<number, workload.ServicePort>[];
  readonly frontends: readonly Edit<DesiredFrontend, number>[];
  /** Ranges (`address/length`) with their ids. */
  readonly ranges: readonly Edit<string, number>[];
  /** Endpoints that no record refers to any more: sockets may not keep them. */
  readonly retired:
    readonly (readonly [index: number, before: workload.Endpoint, after: workload.Endpoint])[];
  /** To be free again after a grace period. */
  readonly released: {
    readonly slots: readonly number[];
    readonly ids: readonly number[];
    readonly indexes: readonly number[];
  };
  /** Taken for this plan. */
  readonly taken: {
    readonly slots: readonly number[];
    readonly ids: readonly number[];
    readonly indexes: readonly number[];
  };
  /** What becomes applied; `undefined`: the service is gone. */
  readonly next: ReadonlyMap<ServiceKey, AppliedService | undefined>;
}

/** Whether there is nothing to write. */
export function isEmpty(plan: Plan): boolean {
  return plan.endpoints.length + plan.records.length + plan.recordWrites.length + plan.servicePorts.length +
      plan.frontends.length + plan.retired.length + plan.released.slots.length === 0;
}

/** What all steps of one plan share. */
interface Draft {
  readonly applied: Applied;
  readonly pool: RecordSource;
  readonly found: Found | undefined;
  /** The found service ports that are some desired port's now. */
  readonly adopted: Set<number>;
  /** The found endpoint indexes that are some desired endpoint's now. */
  readonly kept: Set<number>;
  readonly endpoints: [number, workload.Endpoint][];
  readonly records: RecordContent[];
  readonly recordWrites: { after: RecordWrite; before: RecordWrite }[];
  readonly servicePorts: Edit<number, workload.ServicePort>[];
  /** By `frontendText`: a frontend may leave one service and come to another in one plan. */
  readonly frontends: Map<string, Edit<DesiredFrontend, number>>;
  readonly retired: [number, workload.Endpoint, workload.Endpoint][];
  readonly released: { slots: number[]; ids: number[]; indexes: number[] };
  readonly taken: { slots: number[]; ids: number[]; indexes: number[] };
}

/**
 * Plans the given services.
 *
 * @param changes every service that may differ, with what it should be (`undefined`: gone)
 * @param found what the kernel held when the agent took over: parts that match are kept, the rest goes. Only with the first
 * plan, which must name every service
 */
export function planFlush(
  applied: Applied,
  pool: RecordSource,
  changes: Iterable<readonly [ServiceKey, DesiredService | undefined]>,
  found?: Found,
): Plan {
  const draft: Draft = {
    applied,
    pool,
    found,
    adopted: new Set(),
    kept: new Set(),
    endpoints: [],
    records: [],
    recordWrites: [],
    servicePorts: [],
    frontends: new Map(),
    retired: [],
    released: { slots: [], ids: [], indexes: [] },
    taken: { slots: [], ids: [], indexes: [] },
  };
  const next = new Map<ServiceKey, AppliedService | undefined>();
  try {
    for (const [key, desired] of changes) {
      next.set(key, planService(draft, applied.services.get(key), desired));
    }
    if (found) removeLeftovers(draft, found, next);
  } catch (error) {
    abandonPlan(draft, applied, pool);
    throw error;
  }
  const frontends = [...draft.frontends.values()].filter((edit) => edit.before !== edit.after);
  return { ...draft, frontends, ranges: rangeEdits(applied, frontends), next };
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
}

function planService(
  draft: Draft,
  before: AppliedService | undefined,
  desired: DesiredService | undefined,
): AppliedService | undefined {
  const servicePorts = new Map<string, AppliedServicePort>();
  const targets = targetsOf(desired);
  const left = idsLeft(before, targets);
  for (const port of desired?.servicePorts ?? []) {
    const applied = before?.servicePorts.get(port.key);
    const previous = applied ? { port: applied, keep: !left.has(applied.id) } : adopt(draft, port, targets);
    servicePorts.set(port.key, planServicePort(draft, previous, port));
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
  return desired && { desired, servicePorts, frontends };
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

type Previous = AppliedServicePort | FoundServicePort;
type PreviousTier = NonNullable<Previous["tier"]>;
type PreviousRow = PreviousTier["rows"][number];

function planServicePort(
  draft: Draft,
  previous: PreviousPort | undefined,
  port: DesiredServicePort,
): AppliedServicePort {
  const kept = previous?.keep ? previous.port : undefined;
  const id = kept?.id ?? take(draft.applied.servicePortIds, draft.taken.ids);
  const desired = port.tiers[0]?.endpoints.filter((endpoint) => endpoint.weight > 0) ?? [];
  const rows = placeEndpoints(draft, previous?.port.tier?.rows ?? [], desired);
  const tier = planTier(draft, kept?.tier ?? null, rows);
  if (previous && !kept) releaseServicePort(draft, previous.port);
  const before = kept && { flags: 0, tier: tierWord(kept.tier, kept.mapped) };
  const after = { flags: 0, tier: tierWord(tier, port.mapped) };
  if (before?.tier.slot !== after.tier.slot || before.tier.count !== after.tier.count) {
    draft.servicePorts.push({ key: id, before, after });
  }
  return { id, mapped: port.mapped, tier };
}

function releaseServicePort(draft: Draft, port: Previous): void {
  draft.released.ids.push(port.id);
  const slot = port.tier?.slot ?? ("damaged" in port ? port.damagedSlot : null);
  if (slot !== null) draft.released.slots.push(slot);
}

function removeServicePort(draft: Draft, port: AppliedServicePort): void {
  releaseServicePort(draft, port);
  const rows = new Map(port.tier?.rows.map((row) => [row.index, row]));
  for (const row of rows.values()) retire(draft, row);
}

function take(allocator: IndexAllocator, taken: number[]): number {
  const index = allocator.take();
  taken.push(index);
  return index;
}

/** Address and target port, whichever kind of row it is. */
function placeOf(row: PreviousRow): string {
  return "desired" in row ? `${row.desired.address}|${row.desired.port}` : `${row.address}|${row.port}`;
}

/** Gives each desired endpoint its index: the one it has, or a new one. Those no longer desired are retired. */
function placeEndpoints(
  draft: Draft,
  previous: readonly PreviousRow[],
  desired: readonly DesiredEndpoint[],
): AppliedEndpoint[] {
  const byKey = new Map<string, PreviousRow[]>();
  const seen = new Set<number>();
  for (const row of previous) {
    if (seen.has(row.index) || draft.kept.has(row.index)) continue;
    seen.add(row.index);
    // What was found in the kernel has no uid: it is known by its address.
    const key = "desired" in row ? row.desired.key : placeOf(row);
    const same = byKey.get(key);
    if (same) same.push(row);
    else byKey.set(key, [row]);
  }
  const placed = desired.map((endpoint): AppliedEndpoint => {
    const row = byKey.size === 0
      ? undefined
      : byKey.get(endpoint.key)?.pop() ?? byKey.get(`${endpoint.address}|${endpoint.port}`)?.pop();
    if (row) {
      if (draft.found) draft.kept.add(row.index);
      return { desired: endpoint, index: row.index, generation: row.generation };
    }
    const index = take(draft.applied.endpointIndexes, draft.taken.indexes);
    const generation = nextGeneration(draft.applied, index);
    draft.endpoints.push([
      index,
      kernelEndpoint(endpoint, generation, workload.endpointFlag.ENDPOINT_USABLE),
    ]);
    return { desired: endpoint, index, generation };
  });
  // Of those found in the kernel another port may still want some: `removeLeftovers` retires the rest.
  if (!draft.found) {
    for (const rows of byKey.values()) {
      for (const row of rows) retire(draft, row);
    }
  }
  return placed;
}

/** 0 stands for an index that was never used. */
function after(generation: number): number {
  return ((generation + 1) >>> 0) || 1;
}

function nextGeneration(applied: Applied, index: number): number {
  const generation = after(applied.generations.get(index) ?? applied.firstGeneration);
  applied.generations.set(index, generation);
  return generation;
}

/** Whether an endpoint that is to be written is the first of its index: no socket remembers another one there. */
export function isFirstUse({ firstGeneration }: Applied): (endpoint: workload.Endpoint) => boolean {
  const first = after(firstGeneration);
  return ({ generation }) => generation === first;
}

function kernelEndpoint(
  place: { address: string; port: number },
  generation: number,
  flags: number,
): workload.Endpoint {
  return { address: addressToBytes(place.address), port: place.port, flags, generation };
}

function retirement(
  place: { address: string; port: number },
  generation: number,
): [before: workload.Endpoint, after: workload.Endpoint] {
  const before = kernelEndpoint(place, generation, workload.endpointFlag.ENDPOINT_USABLE);
  return [before, { ...before, flags: 0 }];
}

function retire(draft: Draft, row: PreviousRow): void {
  draft.retired.push([row.index, ...retirement("desired" in row ? row.desired : row, row.generation)]);
  draft.released.indexes.push(row.index);
}

function tierWord(
  tier: { slot: number; weighted: boolean; rows: readonly unknown[] } | null,
  mapped: boolean,
): workload.Tier {
  const { TIER_WEIGHTED, TIER_MAPPED } = workload.tierFlag;
  const flags = (mapped ? TIER_MAPPED : 0) | (tier?.weighted ? TIER_WEIGHTED : 0);
  return { slot: tier?.slot ?? 0, count: ((tier?.rows.length ?? 0) | flags) >>> 0 };
}

function planTier(
  draft: Draft,
  previous: PreviousTier | null,
  rows: readonly AppliedEndpoint[],
): AppliedTier | null {
  if (rows.length === 0) {
    if (previous) draft.released.slots.push(previous.slot);
    return null;
  }
  const weighted = rows.some((row) => row.desired.weight !== rows[0].desired.weight);
  const kept = previous && previous.weighted === weighted
    ? weighted ? keepWeighted(previous, rows) : editInPlace(draft, previous, rows)
    : undefined;
  if (kept) return kept;
  if (previous) draft.released.slots.push(previous.slot);
  const entries = weighted ? weightedEntries(rows) : rows.map(plainEntry);
  const { slot, capacity } = previous
    ? draft.pool.grow(previous.slot, entries.length)
    : draft.pool.acquire(entries.length);
  draft.taken.slots.push(slot);
  draft.records.push({ slot, entries });
  return { slot, capacity, weighted, rows };
}

function plainEntry(row: AppliedEndpoint): workload.RecordEntry {
  return { threshold: 0, endpoint: row.index };
}

/** Two entries a row: {threshold, the row's endpoint} and {0, its alias} (bpf/types.h). */
function weightedEntries(rows: readonly AppliedEndpoint[]): workload.RecordEntry[] {
  const { threshold, alias } = buildAliasTable(rows.map((row) => row.desired.weight));
  return rows.flatMap((row, i) => [
    { threshold: threshold[i], endpoint: row.index },
    { threshold: 0, endpoint: rows[alias[i]].index },
  ]);
}

/** The tier as it is, where its alias table would come out the same; else it has to be built anew. */
function keepWeighted(previous: PreviousTier, rows: readonly AppliedEndpoint[]): AppliedTier | undefined {
  if (previous.rows.length !== rows.length) return undefined;
  const { slot, capacity } = previous;
  if ("entries" in previous) {
    const entries = weightedEntries(rows);
    const same = entries.every(({ threshold, endpoint }, i) =>
      previous.entries[i].threshold === threshold && previous.entries[i].endpoint === endpoint
    );
    return same ? { slot, capacity, weighted: true, rows } : undefined;
  }
  const same = rows.every((row, i) =>
    previous.rows[i].index === row.index && previous.rows[i].desired.weight === row.desired.weight
  );
  return same ? { slot, capacity, weighted: true, rows } : undefined;
}

/**
 * Adds and removes entries word by word: a removed one's place is taken by the last, a new one is appended, and the tier's
 * word with the new count makes it so. Whatever word a reader sees, it names an endpoint that is or was the tier's.
 */
function editInPlace(
  draft: Draft,
  previous: PreviousTier,
  rows: readonly AppliedEndpoint[],
): AppliedTier | undefined {
  const wanted = new Map(rows.map((row) => [row.index, row]));
  const present = new Set(previous.rows.map((row) => row.index));
  // Doubles are what a killed agent leaves in the middle of a removal.
  if (present.size !== previous.rows.length) return undefined;
  const added = rows.filter((row) => !present.has(row.index));
  const removed = previous.rows.flatMap((row, position) => wanted.has(row.index) ? [] : [position]);
  const tooLarge = previous.capacity > Math.max(smallRecord, roomLeft * capacityFor(rows.length));
  if (rows.length > previous.capacity || tooLarge || added.length + removed.length > maxEditsInPlace) {
    return undefined;
  }

  const after = previous.rows.map((row) => wanted.get(row.index));
  for (const position of removed.toReversed()) {
    const last = after.pop();
    if (position < after.length) after[position] = last;
  }
  after.push(...added);
  const { slot, capacity } = previous;
  const positions = after.flatMap((row, position) =>
    row!.index === previous.rows[position]?.index ? [] : [position]
  );
  if (positions.length > 0) {
    draft.recordWrites.push({
      after: { slot, writes: positions.map((position) => [position, plainEntry(after[position]!)]) },
      before: {
        slot,
        writes: positions.filter((position) => position < previous.rows.length)
          .map((position) => [position, { threshold: 0, endpoint: previous.rows[position].index }]),
      },
    });
  }
  return { slot, capacity, weighted: false, rows: after.map((row) => row!) };
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
  const named = new Set<number>();
  for (const [id, port] of found.servicePorts) {
    for (const row of port.tier?.rows ?? []) named.add(row.index);
    if (!draft.adopted.has(id)) releaseServicePort(draft, port);
  }
  for (const [index, row] of found.endpoints) {
    // One that is usable though nothing names it: an agent was killed before it could retire it.
    if (draft.kept.has(index) || !(row.usable || named.has(index))) continue;
    draft.released.indexes.push(index);
    if (row.usable) draft.retired.push([index, ...retirement(row, row.generation)]);
  }
}
