/** Reads the kernel's state back: what an agent finds that takes over, and what `status` shows without an agent. */

import { workload } from "../../ffi/mod.ts";
import { finish, type Steps } from "../host/mod.ts";
import { bytesToAddress, familyOf } from "../mesh/mod.ts";
import { type FoundSlots, ownSlots, placeholderSlot, readRecordById, readSlots } from "../records/mod.ts";
import { frontendText, type Layout } from "./applied.ts";
import { lostRange } from "./frontend_key.ts";
import { leaveId, type MeshMaps, unlistedId } from "./maps.ts";

export interface FoundEndpoint {
  readonly index: number;
  readonly address: string;
  readonly port: number;
  readonly usable: boolean;
  readonly generation: number;
}

export interface FoundTier {
  readonly slot: number;
  readonly capacity: number;
  readonly layout: Layout;
  readonly table: { readonly length: number } | null;
  /** The record's entries up to its length, as they are. */
  readonly entries: readonly workload.RecordEntry[];
  /** By position; of an alias table by row; of another table each once. */
  readonly rows: readonly FoundEndpoint[];
}

export interface FoundServicePort {
  readonly id: number;
  /** SERVICE_*. */
  readonly flags: number;
  readonly choices: number;
  readonly mapped: boolean;
  /** The limit's id; 0: none. */
  readonly limit: number;
  /** `null` also where it is damaged. */
  readonly tier: FoundTier | null;
  /** Its word names a record that is not there, is too short, or names an endpoint that never was: it is made anew. */
  readonly damaged: boolean;
  /** The slot that a damaged word names, if no sound one does: it may not hold another record before the word is changed. */
  readonly damagedSlot: number | null;
  /** Those that lead here, as `frontendText`. */
  readonly frontends: readonly string[];
}

export interface FoundFrontend {
  readonly address: string;
  readonly port: number;
  readonly protocol: number;
  readonly id: number;
}

/** Everything that a connection could reach. The kernel knows no names: services and workloads are the agent's words. */
export interface Found {
  /** By `frontendText`. */
  readonly frontends: ReadonlyMap<string, FoundFrontend>;
  /** Ids by `address/length`. */
  readonly ranges: ReadonlyMap<string, number>;
  /** Higher than any id that was found. */
  readonly nextRangeId: number;
  /** Those that a frontend refers to, but for the reserved ones. */
  readonly servicePorts: ReadonlyMap<number, FoundServicePort>;
  /** By index, every one that was ever written: of those that nothing refers to, sockets may still keep some. */
  readonly endpoints: ReadonlyMap<number, FoundEndpoint>;
  /** The indexes that the record of some service port names. */
  readonly named: ReadonlySet<number>;
  /** Slots that hold an inner map, which are spares but for those that a service port refers to. */
  readonly slots: FoundSlots & { readonly used: ReadonlySet<number> };
  /** What is wrong: somebody else changed the maps. */
  readonly problems: readonly string[];
}

/** A range as `address/length`. */
function rangeText({ address, prefixLength }: workload.RangeKey): string {
  const first = bytesToAddress(address);
  return `${first}/${familyOf(first) === 4 ? prefixLength - 96 : prefixLength}`;
}

/** Reads everything. What contradicts itself is reported as a problem, and counts as not there. */
export function readBack(maps: MeshMaps): Found {
  return finish(readBackInSteps(maps, new Map(maps.records.entries())));
}

/**
 * As `readBack`, bit by bit; nobody may write the maps meanwhile.
 *
 * @param slots what `maps.records` holds; reading that may take long, and has a thread of its own (`ArrayOfMaps.read`)
 */
export function* readBackInSteps(maps: MeshMaps, slots: ReadonlyMap<number, number>): Steps<Found> {
  const ranges = new Map([...maps.ranges.entries()].map(([key, { id }]) => [id, rangeText(key)]));
  let nextRangeId = 0;
  for (const id of ranges.keys()) nextRangeId = Math.max(nextRangeId, id + 1);
  const { FRONTEND_RANGE } = workload.frontendFlag;
  const frontends = new Map<string, FoundFrontend>();
  for (const [key, value] of maps.frontends.entries()) {
    yield;
    const ofRange = (key.protocol & FRONTEND_RANGE) !== 0;
    const rangeId = new DataView(key.address.buffer).getUint32(0, true);
    if (ofRange) nextRangeId = Math.max(nextRangeId, rangeId + 1);
    const frontend = {
      // One whose range is gone has no address: it is left over.
      address: ofRange ? ranges.get(rangeId) ?? lostRange(rangeId) : bytesToAddress(key.address),
      port: key.port,
      protocol: key.protocol & ~FRONTEND_RANGE,
      id: value.servicePort,
    };
    frontends.set(frontendText(frontend as Parameters<typeof frontendText>[0]), frontend);
  }

  const endpoints = new Map<number, FoundEndpoint>();
  for (const [index, endpoint] of maps.endpoints.entries()) {
    yield;
    const { port, flags, generation } = endpoint;
    if (generation === 0) continue;
    const usable = (flags & workload.endpointFlag.ENDPOINT_USABLE) !== 0;
    endpoints.set(index, { index, address: bytesToAddress(endpoint.address), port, usable, generation });
  }

  const records = ownSlots(slots);
  const wanted = Map.groupBy(frontends.keys(), (text) => frontends.get(text)!.id);
  wanted.delete(unlistedId);
  wanted.delete(leaveId);
  const servicePorts = new Map<number, FoundServicePort>();
  const problems: string[] = [];
  if (!slots.has(placeholderSlot)) {
    problems.push(`slot ${placeholderSlot} of map records has lost its placeholder`);
  }
  const capacities = new Map<number, number>();
  const used = new Set<number>();
  const named = new Set<number>();
  const damagedSlots = new Map<number, number>();
  for (const [id, { flags, choices, limit, tier: word }] of maps.services.entries()) {
    yield;
    const texts = wanted.get(id);
    if (!texts) continue;
    const tier = readTier(maps, records, used, { flags, tier: word }, endpoints);
    const damaged = typeof tier === "string";
    if (damaged) problems.push(`service port ${id} in map services ${tier}`);
    servicePorts.set(id, {
      id,
      flags,
      choices,
      mapped: (word.count & workload.tierFlag.TIER_MAPPED) !== 0,
      limit,
      tier: damaged ? null : tier,
      damaged,
      damagedSlot: null,
      frontends: texts,
    });
    if (damaged) damagedSlots.set(id, word.slot);
    if (damaged || !tier) continue;
    used.add(tier.slot);
    for (const { index } of tier.rows) named.add(index);
    capacities.set(records.get(tier.slot)!, tier.capacity);
  }
  for (const [id, slot] of damagedSlots) {
    if (used.has(slot) || slot === placeholderSlot || slot >= maps.sizes.records) continue;
    used.add(slot);
    servicePorts.set(id, { ...servicePorts.get(id)!, damagedSlot: slot });
  }
  return {
    frontends,
    ranges: new Map([...ranges].map(([id, text]) => [text, id])),
    nextRangeId,
    servicePorts,
    endpoints,
    named,
    slots: { ...yield* readSlots(maps.records, slots, capacities), used },
    problems,
  };
}

/** Reads one tier with its record, or says what is wrong with it; `records` are map ids by slot, each in one slot only. */
function readTier(
  maps: MeshMaps,
  records: ReadonlyMap<number, number>,
  used: ReadonlySet<number>,
  { flags, tier }: Pick<workload.ServicePort, "flags" | "tier">,
  endpoints: ReadonlyMap<number, FoundEndpoint>,
): FoundTier | null | string {
  const { TIER_WEIGHTED, TIER_MAPPED } = workload.tierFlag;
  const weighted = (tier.count & TIER_WEIGHTED) !== 0;
  const count = (tier.count & ~(TIER_WEIGHTED | TIER_MAPPED)) >>> 0;
  if (count === 0) return null;
  if (used.has(tier.slot)) return `names record ${tier.slot}, which is another service port's`;
  const mapId = records.get(tier.slot);
  const record = mapId === undefined ? undefined : readRecordById(maps.records.shim, mapId);
  const length = weighted ? count * 2 : count;
  if (!record || record.capacity < length) {
    const is = record ? `has room for only ${record.capacity}` : "is not there";
    return `names record ${tier.slot} with ${length} entries, which ${is}`;
  }
  const layout = layoutIn(flags, weighted, count);
  // Where the weights are missing that follow, the entries are not as they should be.
  const entries = record.entries.slice(0, layout === "alias with weights" ? count * 3 : length);
  const indexes = new Set<number>();
  const rows: FoundEndpoint[] = [];
  for (let position = 0; position < length; position += weighted ? 2 : 1) {
    const index = entries[position].endpoint;
    const endpoint = endpoints.get(index);
    if (!endpoint) return `names endpoint ${index}, which was never written`;
    if (layout === "table" && indexes.has(index)) continue;
    indexes.add(index);
    rows.push(endpoint);
  }
  const table = layout === "table" ? { length } : null;
  return { slot: tier.slot, capacity: record.capacity, layout, table, entries, rows };
}

function layoutIn(flags: number, weighted: boolean, count: number): Layout {
  const { SERVICE_LEAST_REQUEST, SERVICE_RING_HASH, SERVICE_MAGLEV } = workload.serviceFlag;
  if (weighted) return flags & SERVICE_LEAST_REQUEST ? "alias with weights" : "alias";
  return count > 1 && flags & (SERVICE_RING_HASH | SERVICE_MAGLEV) ? "table" : "list";
}
