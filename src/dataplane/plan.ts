/**
 * The plan: desired minus applied, as a list of map edits. Pure but for the indexes it takes, which `abandon` gives back.
 *
 * Order of the edits (flush.ts keeps it): everything new is written aside, then published by one word each, then what is
 * old is taken away; what it leaves behind is used again only after a grace period.
 */

import { workload } from "../../ffi/mod.ts";
import { addressToBytes, type ServiceKey } from "../mesh/mod.ts";
import { capacityFor, type IndexAllocator, type NewRecord, type RecordWrite } from "../records/mod.ts";
import { buildAliasTable } from "./alias_table.ts";
import {
  type Applied,
  type AppliedEndpoint,
  type AppliedFrontend,
  type AppliedService,
  type AppliedServicePort,
  type AppliedTier,
  frontendText,
} from "./applied.ts";
import type { DesiredEndpoint, DesiredFrontend, DesiredService, DesiredServicePort } from "./desired.ts";
import { leaveId, unlistedId } from "./maps.ts";
import type { Found, FoundServicePort } from "./read_back.ts";

/** Above this many changed endpoints a tier is built anew and published at once instead of being edited word by word. */
const maxEditsInPlace = 16;

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
  readonly records: readonly NewRecord[];
  /** Single words of published records. */
  readonly recordWrites: readonly { readonly after: RecordWrite; readonly before: RecordWrite }[];
  readonly servicePorts: readonly Edit<number, workload.ServicePort>[];
  readonly frontends: readonly Edit<DesiredFrontend, number>[];
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
      plan.frontends.length + plan.retired.length === 0;
}

/** What all steps of one plan share. */
interface Draft {
  readonly applied: Applied;
  readonly slots: IndexAllocator;
  readonly found: Found | undefined;
  readonly adopted: Set<number>;
  readonly endpoints: [number, workload.Endpoint][];
  readonly records: NewRecord[];
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
  slots: IndexAllocator,
  changes: Iterable<readonly [ServiceKey, DesiredService | undefined]>,
  found?: Found,
): Plan {
  const draft: Draft = {
    applied,
    slots,
    found,
    adopted: new Set(),
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
  for (const [key, desired] of changes) next.set(key, planService(draft, applied.services.get(key), desired));
  if (found) removeLeftovers(draft, found, next);
  return {
    ...draft,
    frontends: [...draft.frontends.values()].filter((edit) => edit.before !== edit.after),
    next,
  };
}

/** Gives back what a plan took that was not carried out. */
export function abandonPlan(plan: Plan, applied: Applied): void {
  for (const id of plan.taken.ids) applied.servicePortIds.giveBack(id);
  for (const index of plan.taken.indexes) applied.endpointIndexes.giveBack(index);
}

function planService(
  draft: Draft,
  before: AppliedService | undefined,
  desired: DesiredService | undefined,
): AppliedService | undefined {
  const servicePorts = new Map<string, AppliedServicePort>();
  for (const port of desired?.servicePorts ?? []) {
    const previous = before?.servicePorts.get(port.key) ?? adopt(draft, port, desired!);
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

/** A service port that the kernel serves already under one of this port's frontends. */
function adopt(
  draft: Draft,
  port: DesiredServicePort,
  service: DesiredService,
): FoundServicePort | undefined {
  if (!draft.found) return undefined;
  for (const frontend of service.frontends) {
    if (frontend.target.kind !== "servicePort" || frontend.target.key !== port.key) continue;
    const id = draft.found.frontends.get(frontendText(frontend))?.id;
    if (id === undefined || id === unlistedId || id === leaveId || draft.adopted.has(id)) continue;
    draft.adopted.add(id);
    return draft.found.servicePorts.get(id);
  }
  return undefined;
}

type Previous = AppliedServicePort | FoundServicePort;
type PreviousTier = NonNullable<Previous["tier"]>;
type PreviousRow = PreviousTier["rows"][number];

function planServicePort(
  draft: Draft,
  previous: Previous | undefined,
  port: DesiredServicePort,
): AppliedServicePort {
  const id = previous?.id ?? take(draft.applied.servicePortIds, draft.taken.ids);
  const flags = port.mapped ? workload.serviceFlag.SERVICE_MAPPED : 0;
  const desired = port.tiers[0]?.endpoints.filter((endpoint) => endpoint.weight > 0) ?? [];
  const rows = placeEndpoints(draft, previous?.tier?.rows ?? [], desired);
  const tier = planTier(draft, previous?.tier ?? null, rows);
  const before = previous && { flags: previous.flags, tier: tierWord(previous.tier) };
  const after = { flags, tier: tierWord(tier) };
  if (
    !before || before.flags !== flags || before.tier.slot !== after.tier.slot ||
    before.tier.count !== after.tier.count
  ) {
    draft.servicePorts.push({ key: id, before, after });
  }
  return { id, flags, tier };
}

function removeServicePort(draft: Draft, port: Previous): void {
  draft.released.ids.push(port.id);
  if (!port.tier) return;
  draft.released.slots.push(port.tier.slot);
  for (const row of new Map(port.tier.rows.map((row: PreviousRow) => [row.index, row])).values()) {
    retire(draft, row);
  }
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
    if (seen.has(row.index)) continue;
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
    if (row) return { desired: endpoint, index: row.index, generation: row.generation };
    const index = take(draft.applied.endpointIndexes, draft.taken.indexes);
    const generation = nextGeneration(draft.applied, index);
    draft.endpoints.push([
      index,
      kernelEndpoint(endpoint, generation, workload.endpointFlag.ENDPOINT_USABLE),
    ]);
    return { desired: endpoint, index, generation };
  });
  for (const rows of byKey.values()) {
    for (const row of rows) retire(draft, row);
  }
  return placed;
}

/** 0 stands for an index that was never used. */
function nextGeneration(applied: Applied, index: number): number {
  const generation = ((applied.generations.get(index) ?? applied.firstGeneration) + 1) >>> 0;
  applied.generations.set(index, generation || 1);
  return generation || 1;
}

function kernelEndpoint(
  place: { address: string; port: number },
  generation: number,
  flags: number,
): workload.Endpoint {
  return { address: addressToBytes(place.address), port: place.port, flags, generation };
}

function retire(draft: Draft, row: PreviousRow): void {
  const place = "desired" in row ? row.desired : row;
  const before = kernelEndpoint(place, row.generation, workload.endpointFlag.ENDPOINT_USABLE);
  draft.retired.push([row.index, before, { ...before, flags: 0 }]);
  draft.released.indexes.push(row.index);
}

function tierWord(tier: { slot: number; weighted: boolean; rows: readonly unknown[] } | null): workload.Tier {
  if (!tier) return { slot: 0, count: 0 };
  const { TIER_WEIGHTED } = workload.tierFlag;
  return {
    slot: tier.slot,
    count: (tier.weighted ? tier.rows.length | TIER_WEIGHTED : tier.rows.length) >>> 0,
  };
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
  const capacity = weighted ? entries.length : capacityFor(entries.length);
  const slot = take(draft.slots, draft.taken.slots);
  draft.records.push({ slot, capacity, entries });
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
  const tooLarge = previous.capacity > 4 * capacityFor(rows.length);
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
  for (const [id, port] of found.servicePorts) {
    if (id !== unlistedId && id !== leaveId && !draft.adopted.has(id)) removeServicePort(draft, port);
  }
  draft.released.slots.push(...found.orphanSlots);
}
