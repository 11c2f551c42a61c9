/** The kinds of maps that weft keeps the mesh in, made and used; nothing is pinned, so they go with this process. */

import {
  ArrayMap,
  ArrayOfMaps,
  check as checkCall,
  closeFd,
  createMap,
  HashMap,
  type KernelMap,
  openRing,
  type Shim,
  u32,
  u64,
  workload,
} from "../../ffi/mod.ts";
import { probePublishThreads } from "../agent/publish_threads.ts";
import { createOuterMap, publishRecords, readRecord } from "../records/mod.ts";
import { CheckFailed, type Finding } from "./check.ts";
import type { Section } from "./checklist.ts";
import { manyRecords, measurePublish } from "./publish_cost.ts";

/** Entries of the maps made here. */
const entries = 64;

const distribution = "use a distribution's kernel, 5.15 or later";

/** Gives how records are best published here (`ArrayOfMaps.publish`). */
export async function checkMaps(
  { check }: Section,
  shim: Finding<Shim>,
  privileged: Finding<null>,
  stack: AsyncDisposableStack,
): Promise<Finding<number>> {
  const needs = [shim, privileged] as const;
  await check(
    { id: "kernel.hash", title: "hash map, in batches", remedy: distribution },
    needs,
    (shim) => {
      using map = new HashMap(shim, create(shim, workload.mapTypes.frontends, 4, 8), {
        name: "hash",
        key: u32,
        value: u64,
      });
      fillAndRead(map);
      map.deleteMany([1, 2, 3]);
      if ([...map.entries()].length !== entries - 3) {
        throw new CheckFailed("deleted elements are still there");
      }
      return { value: null, detail: "filled, read and deleted from" };
    },
  );
  await check(
    { id: "kernel.array", title: "array map, in batches", remedy: distribution },
    needs,
    (shim) => {
      const fd = create(shim, workload.mapTypes.services, 4, 8);
      using map = new ArrayMap(shim, fd, { name: "array", value: u64 });
      fillAndRead(map);
      return { value: null, detail: "filled and read" };
    },
  );
  await check(
    { id: "kernel.percpu_array", title: "per-CPU array", remedy: distribution },
    needs,
    (shim) => {
      closeFd(shim, create(shim, workload.mapTypes.counters, 4, 8));
      return { value: null, detail: "made" };
    },
  );
  await check(
    { id: "kernel.ring_buffer", title: "ring buffer", remedy: distribution },
    needs,
    (shim) => {
      const size = 4096 * 16;
      const fd = createMap(shim, {
        type: workload.mapTypes.events,
        name: "ring",
        keySize: 0,
        valueSize: 0,
        maxEntries: size,
      });
      try {
        using ring = openRing(shim, fd, workload.refusalEvent, size);
        ring.read();
      } finally {
        closeFd(shim, fd);
      }
      return { value: null, detail: "made and read" };
    },
  );
  const outer = await check(
    { id: "kernel.array_of_maps", title: "array of maps of different lengths", remedy: distribution },
    needs,
    async (shim) => {
      const outer = stack.use(
        await createOuterMap(shim, (fd) => new ArrayOfMaps(shim, fd, "records"), entries),
      );
      await publishRecords(outer, [record(1, 1), record(2, 1000)], 1);
      const lengths = [1, 2].map((slot) => readRecord(outer, slot)?.capacity);
      if (lengths.join() !== "1,1000") {
        throw new CheckFailed(`records of 1 and 1000 entries read back as ${lengths.join(" and ")}`);
      }
      return { value: outer, detail: "records of 1 and of 1,000 entries published and read" };
    },
  );
  await check(
    {
      id: "kernel.words",
      title: "words of records stored at once",
      remedy: `programs of type syscall came with Linux 5.14: ${distribution}`,
    },
    [outer],
    (outer) => {
      const edited = { threshold: 7, endpoint: 9 };
      outer.writeInner(workload.recordEntry, [{ place: 2, position: 999, value: edited }]);
      const { threshold, endpoint } = readRecord(outer, 2)!.entries[999];
      if (threshold !== edited.threshold || endpoint !== edited.endpoint) {
        throw new CheckFailed(`the last of 1,000 entries reads back as ${threshold} and ${endpoint}`);
      }
      return { value: null, detail: "the last of 1,000 entries, by a program of type syscall" };
    },
  );
  await check(
    {
      id: "kernel.publish_batch",
      title: "records published in batches",
      remedy:
        "nothing need be done: weft publishes them one by one on several threads; Linux 5.19 takes batches",
      optional: true,
    },
    [outer],
    async (outer) => {
      await publishRecords(outer, [record(3, 1), record(4, 1)], 0);
      return { value: null, detail: "2 records in one call" };
    },
  );
  const publishThreads = await check(
    {
      id: "kernel.publish_wait",
      title: "one grace period a batch",
      remedy: distribution,
      optional: true,
    },
    [outer],
    async (outer) => {
      const threads = await probePublishThreads(outer.shim);
      const { one, many } = await measurePublish(outer, threads);
      const detail = `1 record ${ms(one)}, ${manyRecords} records ${ms(many)}`;
      if (threads === 0) return { value: threads, detail };
      return {
        value: threads,
        detail: `${detail}, on up to ${threads} threads`,
        warning:
          "nothing need be done: weft overlaps the waits with threads, and changes of thousands of services take " +
          "longer; Linux 6.8 waits once for all",
      };
    },
  );
  await check(
    {
      id: "kernel.read_slots",
      title: "records found again",
      remedy: distribution,
    },
    [outer],
    (outer) => {
      const started = performance.now();
      const slots = outer.entries().map(([slot]) => slot);
      const elapsed = performance.now() - started;
      if (![0, 1, 2].every((slot) => slots.includes(slot))) {
        throw new CheckFailed(`of slots 0, 1 and 2, only ${slots.join(", ") || "none"} were found`);
      }
      return { value: null, detail: `${entries} slots read in ${ms(elapsed)}` };
    },
  );
  await check(
    {
      id: "kernel.grace_period",
      title: "waiting for a grace period",
      remedy: "membarrier(2) is missing: use a distribution's kernel; with nohz_full= on its command line " +
        "Linux refuses MEMBARRIER_CMD_GLOBAL, so boot without that",
    },
    [shim],
    async (shim) => {
      const started = performance.now();
      checkCall(await shim.call.weft_grace_period(), "wait for", "a grace period (membarrier)");
      return { value: null, detail: `membarrier(2), ${ms(performance.now() - started)}` };
    },
  );
  return publishThreads;
}

function create(shim: Shim, type: number, keySize: number, valueSize: number): number {
  return createMap(shim, { type, name: "weft_doctor", keySize, valueSize, maxEntries: entries });
}

/** Writes every element in a batch and reads all back in another. */
function fillAndRead(map: KernelMap<number, bigint>): void {
  map.updateMany(Array.from({ length: entries }, (_, i) => [i, BigInt(i) << 32n] as const));
  const read = [...map.entries()];
  if (read.length !== entries || read.some(([key, value]) => value !== BigInt(key) << 32n)) {
    throw new CheckFailed(`map ${map.name} does not hold what was written`);
  }
}

function record(slot: number, capacity: number) {
  return { slot, capacity, entries: [{ threshold: 0, endpoint: 0 }] };
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(1)} ms`;
}
