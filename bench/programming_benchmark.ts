/** How long the kernel takes to hold a whole mesh, and how many system calls a change takes. */

import { cpuUsage } from "node:process";
import { openShim, type Shim } from "../ffi/mod.ts";
import { cgroup2Mount, createCgroup, ownedName, removeLeftoverCgroups } from "../src/host/mod.ts";
import { editSnapshot, emptySnapshot, replaceMesh, type Snapshot } from "../src/mesh/mod.ts";
import { type BenchAgent, removeLeftoverPins, startAgent } from "./agent.ts";
import { type Calls, callsBetween, sumOf, traceProgram } from "./calls.ts";
import type { Benchmark, Figure } from "./figure.ts";
import { benchMesh, benchWorkload } from "./mesh.ts";
import { median } from "./statistics.ts";

const services = 5000;
const endpoints = 20;

export const programmingBenchmark: Benchmark = {
  name: "programming",
  title: "5,000 services and 100,000 endpoints into the kernel; then one endpoint more",
  run: async ({ quick, say }) => {
    using shim = openShim();
    await removeLeftoverCgroups(cgroup2Mount(), "weft-bench");
    removeLeftoverPins(shim);
    const figures: Figure[] = [];
    const whole: Programmed[] = [];
    for (let repeat = 0; repeat < (quick ? 1 : 5); repeat++) {
      say(`${services} services, ${repeat + 1}`);
      whole.push(await program(shim, services));
    }
    figures.push(...wholeMeshFigures(whole));
    for (const size of [100, 1000, services]) {
      say(`one endpoint of ${size} services`);
      figures.push(...changeFigures(size, await changeOne(shim, size, quick ? 5 : 25)));
    }
    figures.push(...await tracedChange(say));
    return figures;
  },
};

interface Programmed {
  /** Building the snapshot from the mesh's plain values. */
  readonly snapshotMs: number;
  /** From handing the snapshot in to the end of the flush. */
  readonly flushMs: number;
  readonly attachMs: number;
  /** What all threads of this process worked from the mesh to the end of the flush, collecting garbage included. */
  readonly cpuMs: number;
  readonly calls: Calls;
}

/** Runs `work` with an agent that holds a mesh of this many services. */
async function withMesh<T>(
  shim: Shim,
  size: number,
  work: (agent: BenchAgent, snapshot: Snapshot, programmed: Programmed) => Promise<T>,
): Promise<T> {
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "programming"));
  await using agent = await startAgent(shim, cgroup, "programming");
  const mesh = benchMesh(size, endpoints);
  const before = new Map(shim.counts);
  const cpu = cpuUsage();
  const start = performance.now();
  const snapshot = replaceMesh(emptySnapshot(), mesh);
  const submitted = performance.now();
  agent.controller.submit(snapshot);
  await agent.controller.idle();
  const done = performance.now();
  const { user, system } = cpuUsage(cpu);
  // What follows in the background makes spares: bench/records is about them.
  const calls = callsBetween(before, agent.countsAtFlush());
  await agent.datapath.settle();
  return await work(agent, snapshot, {
    snapshotMs: submitted - start,
    flushMs: done - submitted - agent.attachMs(),
    attachMs: agent.attachMs(),
    cpuMs: (user + system) / 1000,
    calls,
  });
}

function program(shim: Shim, size: number): Promise<Programmed> {
  return withMesh(shim, size, (_agent, _snapshot, programmed) => Promise.resolve(programmed));
}

/** The entries that each map but `records` gets for the mesh. */
const entries = {
  frontends: 3 * services,
  services,
  endpoints: services * endpoints,
  endpoint_hits: services * endpoints,
  refusals: services,
};

function wholeMeshFigures(runs: readonly Programmed[]): Figure[] {
  const ms = (pick: (run: Programmed) => number) => median(runs.map(pick));
  const { calls } = runs[0];
  // Asking for ids and opening by them count too.
  const perRecord = ["record", "records", "map_info", "map_by_id"]
    .reduce((sum, map) => sum + sumOf(calls, map), 0) / services;
  const perThousand = Object.entries(entries).map(([map, count]) =>
    [map, sumOf(calls, map) / Math.ceil(count / 1000)] as const
  );
  const worst = perThousand.reduce((most, one) => one[1] > most[1] ? one : most);
  return [
    {
      name: "5,000 services, 100,000 endpoints: snapshot handed in to flush done",
      value: ms((run) => run.flushMs),
      unit: "ms",
      goal: 1000,
      details: {
        "building the snapshot ms": ms((run) => run.snapshotMs),
        "loading and attaching programs ms": ms((run) => run.attachMs),
        "first run of the process ms": runs[0].flushMs,
        runs: runs.length,
      },
    },
    {
      name: "the same, with building the snapshot and attaching",
      value: ms((run) => run.flushMs + run.snapshotMs + run.attachMs),
      unit: "ms",
      goal: 1000,
      details: { "CPU time of all threads ms": ms((run) => run.cpuMs) },
    },
    {
      name: "bpf() calls per record",
      value: perRecord,
      unit: "calls",
      goal: 2.1,
      details: byOperation(calls, ["record", "records", "map_info", "map_by_id"]),
    },
    {
      name: "bpf() calls per 1,000 entries of any other map",
      value: worst[1],
      unit: "calls",
      goal: 1,
      details: Object.fromEntries(
        perThousand.map(([map]) => [map, `${sumOf(calls, map)} for ${entries[map as keyof typeof entries]}`]),
      ),
    },
  ];
}

function byOperation(calls: Calls, maps: readonly string[]): Record<string, number> {
  return Object.fromEntries([...calls].filter(([what]) => maps.includes(what.split(".")[0])));
}

interface Change {
  readonly ms: number;
  readonly calls: Calls;
}

/** Adds one endpoint to a service, and takes it away again, many times. */
function changeOne(shim: Shim, size: number, repeats: number): Promise<readonly Change[]> {
  return withMesh(shim, size, async (agent, first) => {
    const changes: Change[] = [];
    let snapshot = first;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const workload = benchWorkload(size * endpoints + repeat, endpoints);
      const more = { ...workload, services: benchWorkload(repeat, endpoints).services };
      for (const edit of [{ upsertWorkloads: [more] }, { removeWorkloads: [more.uid] }]) {
        const before = new Map(shim.counts);
        const start = performance.now();
        snapshot = editSnapshot(snapshot, edit);
        agent.controller.submit(snapshot);
        await agent.controller.idle();
        const ms = performance.now() - start;
        await agent.datapath.settle();
        changes.push({ ms, calls: callsBetween(before, shim.counts) });
      }
    }
    return changes;
  });
}

function changeFigures(size: number, changes: readonly Change[]): Figure[] {
  return (["added", "removed"] as const).map((kind, which) => {
    const these = changes.filter((_, i) => i % 2 === which);
    const totals = these.map(({ calls }) => sumOf(calls));
    const middle = median(totals);
    const { calls } = these[totals.findIndex((total) => total >= middle)];
    return {
      name: `one endpoint ${kind}, ${size} services: system calls`,
      value: middle,
      unit: "calls",
      details: {
        // A record that moves to another size class has the class grow in the background.
        "at most, with what follows in the background": Math.max(...totals),
        "median ms": median(these.map(({ ms }) => ms)),
        ...Object.fromEntries(calls),
      },
    };
  });
}

/** The same count by strace(1): what the shim says of itself need not be believed. */
async function tracedChange(say: (line: string) => void): Promise<Figure[]> {
  const size = 1000;
  say("one endpoint, under strace");
  const program = new URL("traced_change.ts", import.meta.url).pathname;
  const trace = await traceProgram(program, [`${size}`], ["bpf", "membarrier"]);
  if (trace === undefined) {
    say("SKIPPED: strace is not installed (apt-get install strace); the counts above are the shim's own");
    return [];
  }
  return [{
    name: `one endpoint added, ${size} services: bpf() calls that strace sees`,
    value: sumOf(trace.seen, "bpf"),
    unit: "calls",
    details: { "counted by the shim": Number(trace.printed), ...Object.fromEntries(trace.seen) },
  }];
}
