/** The records of an agent under test, seen (and changed) behind its back. */

import assert from "node:assert/strict";
import { closeFd, createMap, openMapById, openShim, type Shim } from "../../ffi/mod.ts";
import { type MeshMaps, openMeshMaps, pinPaths, readBack } from "../../src/dataplane/mod.ts";
import { closeMeshMaps } from "../../src/dataplane/maps.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import { type RecordsResponse, recordsResponse } from "../../src/observe/api.ts";
import { readRecord } from "../../src/records/mod.ts";
import { eventually, type TestAgent } from "../kit/mod.ts";

const innerMapFlag = 1 << 12;
const protocolTcp = 6;

export interface AgentRecords extends Disposable {
  readonly shim: Shim;
  readonly maps: MeshMaps;
  /** The slot of the record that TCP connections to port 80 of a VIP are balanced with. */
  readonly slotOf: (vip: string) => number;
  readonly remove: (slot: number) => void;
  /** Puts an inner map of zeros into slots. */
  readonly putZeros: (capacity: number, ...slots: number[]) => Promise<void>;
  /** Puts the inner map of one slot into another as well. */
  readonly copy: (from: number, to: number) => Promise<void>;
}

/** Opens what an agent has pinned. */
export function openAgentRecords({ pinRoot }: Pick<TestAgent, "pinRoot">): AgentRecords {
  const shim = openShim();
  const maps = openMeshMaps(shim, pinPaths(pinRoot).maps);
  assert.ok(maps, `nothing is pinned at ${pinRoot}`);
  const put = async (fd: number, slots: readonly number[]) => {
    await maps.records.publish(slots.map((slot) => ({ slot, fd })), 1);
    closeFd(shim, fd);
  };
  return {
    shim,
    maps,
    slotOf: (vip) => {
      const key = { address: addressToBytes(vip), port: 80, protocol: protocolTcp };
      return maps.services.lookup(maps.frontends.lookup(key)!.servicePort)!.tier.slot;
    },
    remove: (slot) => {
      assert.equal(shim.call.weft_map_delete(maps.records.fd, new Uint32Array([slot])), 0);
    },
    putZeros: (capacity, ...slots) =>
      put(
        createMap(shim, {
          type: 2,
          name: "foreign",
          keySize: 4,
          valueSize: 8,
          maxEntries: capacity,
          flags: innerMapFlag,
        }),
        slots,
      ),
    copy: (from, to) => put(openMapById(shim, maps.records.lookup(from)!)!, [to]),
    [Symbol.dispose]: () => {
      closeMeshMaps(shim, maps);
      shim[Symbol.dispose]();
    },
  };
}

/** What `weft records` says. */
export async function recordsOf(agent: TestAgent): Promise<RecordsResponse> {
  const { code, stdout, stderr } = await agent.weft("records", "-o", "json");
  assert.deepEqual([code, stderr], [0, ""]);
  return recordsResponse.parse(JSON.parse(stdout));
}

/** What `weft records` should say of slots and classes, as the kernel's own iteration finds it. */
export function kernelRecords(agent: Pick<TestAgent, "pinRoot">) {
  using kernel = openAgentRecords(agent);
  const { maps } = kernel;
  const all = new Map(maps.records.entries());
  const slots = [...all].filter(([slot, id]) => slot !== 0 && id !== all.get(0)).map(([slot]) => slot);
  const { used } = readBack(maps).slots;
  const capacities = Map.groupBy(slots, (slot) => readRecord(maps.records, slot)!.entries.length);
  return {
    slots: { used: used.size, allocated: slots.length, size: maps.sizes.records },
    classes: [...capacities].map(([capacity, of]) => ({
      capacity,
      used: of.filter((slot) => used.has(slot)).length,
      allocated: of.length,
      highestSlot: Math.max(...of),
    })).toSorted((a, b) => a.capacity - b.capacity),
  };
}

/** Asserts that an agent comes to rest, and says of its records then what the kernel's own iteration finds. */
export async function assertRecordsAgree(agent: TestAgent): Promise<RecordsResponse> {
  let said: RecordsResponse;
  let before = "";
  await eventually("the record pool has come to rest", async () => {
    said = await recordsOf(agent);
    const now = JSON.stringify(said);
    const rests = now === before && said.slots.allocated === kernelRecords(agent).slots.allocated;
    before = now;
    return rests;
  }, 10_000);
  const { slots, classes } = said!;
  assert.deepEqual(
    { slots, classes: classes.map(({ step: _, bytes: __, ...rest }) => rest) },
    kernelRecords(agent),
  );
  return said!;
}
