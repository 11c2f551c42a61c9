/** Reads the kernel's state back: what an agent finds that takes over, and what `status` shows without an agent. */

import { workload } from "../../ffi/mod.ts";
import { bytesToAddress } from "../mesh/mod.ts";
import { readRecordById } from "../records/mod.ts";
import { frontendText } from "./applied.ts";
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
  readonly weighted: boolean;
  /** The record's entries up to its length, as they are. */
  readonly entries: readonly workload.RecordEntry[];
  /** By position; of an alias table by row. */
  readonly rows: readonly FoundEndpoint[];
}

export interface FoundServicePort {
  readonly id: number;
  readonly mapped: boolean;
  readonly tier: FoundTier | null;
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
  /** Those that a frontend refers to, but for the reserved ones. */
  readonly servicePorts: ReadonlyMap<number, FoundServicePort>;
  /** By index, every one that was ever written: of those that nothing refers to, sockets may still keep some. */
  readonly endpoints: ReadonlyMap<number, FoundEndpoint>;
  /** Slots that hold a record to which nothing refers. */
  readonly orphanSlots: readonly number[];
}

/** @throws {Error} where the maps contradict each other: somebody else changed them */
export function readBack(maps: MeshMaps): Found {
  const frontends = new Map<string, FoundFrontend>();
  for (const [key, value] of maps.frontends.entries()) {
    const frontend = {
      address: bytesToAddress(key.address),
      port: key.port,
      protocol: key.protocol,
      id: value.servicePort,
    };
    frontends.set(frontendText(frontend as Parameters<typeof frontendText>[0]), frontend);
  }

  const endpoints = new Map<number, FoundEndpoint>();
  for (const [index, endpoint] of maps.endpoints.entries()) {
    const { port, flags, generation } = endpoint;
    if (generation === 0) continue;
    const usable = (flags & workload.endpointFlag.ENDPOINT_USABLE) !== 0;
    endpoints.set(index, { index, address: bytesToAddress(endpoint.address), port, usable, generation });
  }

  const records = new Map(maps.records.entries());
  const wanted = Map.groupBy(frontends.keys(), (text) => frontends.get(text)!.id);
  wanted.delete(unlistedId);
  wanted.delete(leaveId);
  const servicePorts = new Map<number, FoundServicePort>();
  for (const [id, { tier }] of maps.services.entries()) {
    const texts = wanted.get(id);
    if (!texts) continue;
    servicePorts.set(id, {
      id,
      mapped: (tier.count & workload.tierFlag.TIER_MAPPED) !== 0,
      tier: readTier(maps, records, id, tier, endpoints),
      frontends: texts,
    });
  }

  const usedSlots = new Set([...servicePorts.values()].map((port) => port.tier?.slot));
  const placeholder = records.get(0);
  const orphanSlots = [...records]
    .filter(([slot, id]) => slot !== 0 && id !== placeholder && !usedSlots.has(slot))
    .map(([slot]) => slot);
  return { frontends, servicePorts, endpoints, orphanSlots };
}

/** Reads one tier with its record; `records` are map ids by slot, `endpoints` those by index. */
function readTier(
  maps: MeshMaps,
  records: ReadonlyMap<number, number>,
  id: number,
  tier: workload.Tier,
  endpoints: ReadonlyMap<number, FoundEndpoint>,
): FoundTier | null {
  const { TIER_WEIGHTED, TIER_MAPPED } = workload.tierFlag;
  const weighted = (tier.count & TIER_WEIGHTED) !== 0;
  const count = (tier.count & ~(TIER_WEIGHTED | TIER_MAPPED)) >>> 0;
  if (count === 0) return null;
  const mapId = records.get(tier.slot);
  const record = mapId === undefined ? undefined : readRecordById(maps.records.shim, mapId);
  const length = weighted ? count * 2 : count;
  if (!record || record.capacity < length) {
    throw new Error(
      `service port ${id} in map services names record ${tier.slot} with ${length} entries, which is ` +
        `${
          record ? `only ${record.capacity} long` : "not there"
        }: somebody else changed the maps; run: weft detach`,
    );
  }
  const entries = record.entries.slice(0, length);
  const rows = (weighted ? entries.filter((_, position) => position % 2 === 0) : entries).map(
    ({ endpoint: index }) => {
      const endpoint = endpoints.get(index);
      if (!endpoint) {
        throw new Error(
          `record ${tier.slot} names endpoint ${index}, which was never written: run: weft detach`,
        );
      }
      return endpoint;
    },
  );
  return { slot: tier.slot, capacity: record.capacity, weighted, entries, rows };
}
