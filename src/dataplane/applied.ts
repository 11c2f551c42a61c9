/** What the kernel holds, as the agent knows it: the state that a plan is the difference to. */

import type { Choice, ConnectionLimit, ServiceKey } from "../mesh/mod.ts";
import { createIndexAllocator, type IndexAllocator } from "../records/mod.ts";
import type { DesiredEndpoint, DesiredFrontend } from "./desired.ts";
import { createGenerations, type Generations } from "./generations.ts";
import { emptyLimits, type Limits } from "./limits.ts";

/** An endpoint with its place in map `endpoints`. */
export interface AppliedEndpoint extends DesiredEndpoint {
  readonly index: number;
  readonly generation: number;
}

/** How a record is laid out (bpf/types.h, struct record_entry); what is no list is made of all endpoints at once. */
export type Layout =
  /** An entry for each endpoint. */
  | "list"
  | "alias"
  /** For the least busy for its weight. */
  | "alias with weights"
  /** A ring, or Maglev's table. */
  | "table";

/** The endpoints of one rank, with their record. */
export interface AppliedTier {
  readonly slot: number;
  /** Entries that the inner map can hold. */
  readonly capacity: number;
  readonly layout: Layout;
  /** What a table is made for, and how many entries it has. */
  readonly table: { readonly choice: Choice; readonly length: number } | null;
  /** By position; of an alias table by row, of another table in any order. */
  readonly rows: AppliedEndpoint[];
  /** Position by the endpoint's key; made when a large tier is first edited (plan/edit.ts). */
  positions?: Map<string, number>;
}

export interface AppliedServicePort {
  /** Index into map `services`. */
  readonly id: number;
  /** How many workloads map the port. */
  mapped: number;
  /** Rank → how many are of it, chosen or not; none is 0. */
  readonly ranks: Map<number, number>;
  /** By rank, those of which some endpoint can be chosen. The service port's word names the nearest rank's. */
  readonly tiers: Map<number, AppliedTier>;
  /** As they were planned; only a plan of the whole service changes them. */
  readonly choice: Choice;
  readonly connectionLimit: ConnectionLimit | null;
}

/** The rank that connections go to: the highest of which there is anybody. */
export function nearestRank(ranks: ReadonlyMap<number, number>): number | undefined {
  let highest: number | undefined;
  for (const rank of ranks.keys()) if (highest === undefined || rank > highest) highest = rank;
  return highest;
}

/** The tier that connections go to; `undefined`: no endpoint may be used. */
export function nearestTier(
  { ranks, tiers }: Pick<AppliedServicePort, "ranks" | "tiers">,
): AppliedTier | undefined {
  const rank = nearestRank(ranks);
  return rank === undefined ? undefined : tiers.get(rank);
}

export interface AppliedFrontend {
  readonly frontend: DesiredFrontend;
  /** Index into map `services`. */
  readonly id: number;
}

export interface AppliedService {
  /** By `DesiredServicePort.key`. */
  readonly servicePorts: ReadonlyMap<string, AppliedServicePort>;
  /** By `frontendText`. */
  readonly frontends: ReadonlyMap<string, AppliedFrontend>;
}

/** All of it. Only a successful flush changes `services` and what is in it; plans take indexes and give them back. */
export interface Applied {
  readonly services: Map<ServiceKey, AppliedService>;
  /** Of all services. */
  readonly frontendCount: { value: number };
  /** Of map `services`. */
  readonly servicePortIds: IndexAllocator;
  /** Of map `endpoints`. */
  readonly endpointIndexes: IndexAllocator;
  /** The id of each range that was ever programmed (`address/length`): none is used again for another. */
  readonly rangeIds: Map<string, number>;
  readonly nextRangeId: { value: number };
  /** Of connections, by cluster. */
  readonly limits: Limits;
  /** Of the indexes of map `endpoints`. */
  readonly generations: Generations;
}

/** Service ports 0 and 1 are reserved (maps.ts). */
const firstServicePortId = 2;

/** Endpoint 0 is nobody (bpf/types.h). */
const firstEndpointIndex = 1;

export function emptyApplied(limits: Limits = emptyLimits()): Applied {
  return {
    services: new Map(),
    frontendCount: { value: 0 },
    servicePortIds: createIndexAllocator(firstServicePortId),
    endpointIndexes: createIndexAllocator(firstEndpointIndex),
    rangeIds: new Map(),
    nextRangeId: { value: 0 },
    limits,
    generations: createGenerations(),
  };
}

/** A frontend's key as text. */
export function frontendText(frontend: Pick<DesiredFrontend, "address" | "port" | "protocol">): string {
  return `${frontend.address}|${frontend.port}|${frontend.protocol}`;
}

/** Whether a frontend's address is a range of them. */
export function isRange(address: string): boolean {
  return address.includes("/");
}

/** The id of a range, given to it when it is first asked for. */
export function rangeIdOf(applied: Applied, range: string): number {
  const known = applied.rangeIds.get(range);
  if (known !== undefined) return known;
  const id = applied.nextRangeId.value++;
  applied.rangeIds.set(range, id);
  return id;
}
