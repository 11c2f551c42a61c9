/** The kernel memory of records: against a pool of fixed records, against the bare entries, and while the mesh grows and shrinks. */

import { ArrayOfMaps, type Shim } from "../ffi/mod.ts";
import { cgroup2Mount, createCgroup, ownedName } from "../src/host/mod.ts";
import { emptySnapshot, type Mesh, replaceMesh } from "../src/mesh/mod.ts";
import { createOuterMap, createRecordPool, defaultWatermarks } from "../src/records/mod.ts";
import { type BenchAgent, startAgent } from "./agent.ts";
import type { BenchmarkOptions, Figure } from "./figure.ts";
import { benchMesh, benchWorkload } from "./mesh.ts";

const services = 5000;
const workloads = 100_000;
const entryBytes = 8;
const mebibyte = 1024 * 1024;

/** Services of these sizes, with endpoints of their own. @param apart how far the first endpoints of two services are apart */
function meshOf(sizes: readonly number[], apart?: number): Mesh {
  const { services } = benchMesh(sizes.length, 0);
  let next = 0;
  const workloads = sizes.flatMap((size, service) => {
    const first = apart === undefined ? next : service * apart;
    next += size;
    return Array.from({ length: size }, (_, i) => ({
      ...benchWorkload(first + i, 1),
      services: benchWorkload(service, 1).services,
    }));
  });
  return { services, workloads, policies: [] };
}

/** Sizes that fall off as 1/rank (Zipf), as those of real services do; `workloads` in all. */
function skewedSizes(): number[] {
  const weights = Array.from({ length: services }, (_, rank) => 1 / (rank + 1));
  const total = weights.reduce((sum, weight) => sum + weight);
  const sizes = weights.map((weight) => Math.max(1, Math.round(weight / total * workloads)));
  sizes[0] += workloads - sizes.reduce((sum, size) => sum + size);
  return sizes;
}

/** Inner maps and outer map, spares included. */
function recordBytes({ datapath }: BenchAgent): number {
  return datapath.pool.memory() + datapath.maps!.records.memory();
}

async function apply(agent: BenchAgent, mesh: Mesh): Promise<number> {
  agent.controller.submit(replaceMesh(agent.controller.state.applied, mesh));
  await agent.controller.idle();
  await agent.datapath.settle();
  return recordBytes(agent);
}

/** Works with a new agent. */
async function withAgent<T>(shim: Shim, work: (agent: BenchAgent) => Promise<T>): Promise<T> {
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "memory"));
  await using agent = await startAgent(shim, cgroup, "memory");
  agent.controller.submit(emptySnapshot());
  return await work(agent);
}

/** The kernel memory of one inner map with this many entries: of a real one. */
async function innerMapBytes(shim: Shim, capacity: number): Promise<number> {
  using outer = await createOuterMap(shim, (fd) => new ArrayOfMaps(shim, fd, "records"), 4);
  const pool = createRecordPool({ shim, outer: () => outer, threads: 0, watermarks: defaultWatermarks });
  const { slot } = pool.acquire(capacity);
  await pool.publish([{ slot, entries: [] }]);
  const [{ bytes, capacity: room }] = pool.classes();
  return bytes - (room - capacity) * entryBytes;
}

export async function memoryFigures(shim: Shim, { say }: BenchmarkOptions): Promise<Figure[]> {
  const even = Array.from({ length: services }, () => workloads / services);
  return [
    ...await sizeFigures(shim, say, "all of 20", even),
    ...await sizeFigures(shim, say, "sizes as 1/rank", skewedSizes()),
    ...await shrinkFigures(
      shim,
      say,
      "services",
      (share) => meshOf(even.slice(0, services * share), even[0]),
    ),
    ...await shrinkFigures(
      shim,
      say,
      "endpoints",
      (share) => meshOf(even.map((size) => size * share), even[0]),
    ),
    ...await shrinkFigures(
      shim,
      say,
      "endpoints, all others at each step",
      (share) => meshOf(even.map((size) => size * share)),
    ),
  ];
}

async function sizeFigures(
  shim: Shim,
  say: (line: string) => void,
  name: string,
  sizes: readonly number[],
): Promise<Figure[]> {
  say(`memory of 5,000 services and 100,000 endpoints, ${name}`);
  const { bytes, slots, used, allocated } = await withAgent(shim, async (agent) => {
    const bytes = await apply(agent, meshOf(sizes));
    const { pool, maps } = agent.datapath;
    return { bytes, slots: maps!.sizes.records, used: pool.used, allocated: pool.allocated };
  });
  const largest = sizes.reduce((most, size) => Math.max(most, size));
  const header = await innerMapBytes(shim, 1) - entryBytes;
  const bare = workloads * entryBytes + sizes.length * header;
  const fixed = await innerMapBytes(shim, largest);
  const prefilled = (perSlot: number) => perSlot * fixed + slots * 8;
  const powersOfTwo = sizes.reduce(
    (sum, size) => sum + header + entryBytes * 2 ** Math.ceil(Math.log2(size)),
    0,
  );
  const details = {
    "records MiB": bytes / mebibyte,
    "records used": used,
    "slots allocated": allocated,
    "entries and headers MiB": bare / mebibyte,
    "powers of two, the same spares ×": powersOfTwo * allocated / used / bare,
  };
  return [
    {
      name: `${name}: memory / entries and one header each`,
      value: bytes / bare,
      unit: "×",
      goal: 1.6,
      details,
    },
    {
      name: `${name}: memory / pool of ${services} fixed records of ${largest}`,
      value: bytes / prefilled(services),
      unit: "×",
      // Records that are all alike waste nothing at a fixed size: only where sizes differ is there something to gain.
      ...largest > 2 * workloads / services ? { goal: 0.1 } : {},
      details: {
        "fixed MiB": prefilled(services) / mebibyte,
        "fixed in all slots MiB": prefilled(slots) / mebibyte,
        "times less": prefilled(services) / bytes,
      },
    },
  ];
}

/** Grows step by step to the whole mesh, and back to a tenth. @param meshAt a share of the mesh */
async function shrinkFigures(
  shim: Shim,
  say: (line: string) => void,
  what: string,
  meshAt: (share: number) => Mesh,
): Promise<Figure[]> {
  say(`memory while the mesh grows to 5,000 services and shrinks to a tenth (${what})`);
  const steps = [0.1, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0.1];
  const curve = await withAgent(shim, async (agent) => {
    const curve: number[] = [];
    for (const share of steps) curve.push(await apply(agent, meshAt(share)));
    return curve;
  });
  const fresh = await withAgent(shim, (agent) => apply(agent, meshAt(0.1)));
  return [{
    name: `shrunk to a tenth (${what}): memory / of a new agent`,
    value: curve.at(-1)! / fresh,
    unit: "×",
    goal: 1.3,
    details: {
      "new KiB": fresh / 1024,
      ...Object.fromEntries(steps.map((share, i) => [`${i + 1}. at ${share * 100}% KiB`, curve[i] / 1024])),
    },
  }];
}
