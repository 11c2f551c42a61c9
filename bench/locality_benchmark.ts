/** What it takes to follow the mesh: one endpoint of a small and of a very large service, and the node's own place. */

import { openShim, type Shim } from "../ffi/mod.ts";
import { cgroup2Mount, createCgroup, ownedName, removeLeftoverCgroups } from "../src/host/mod.ts";
import { createNodeFinder } from "../src/locality/mod.ts";
import {
  editSnapshot,
  emptySnapshot,
  type LoadBalancer,
  type Mesh,
  replaceMesh,
  type Workload,
} from "../src/mesh/mod.ts";
import { type BenchAgent, removeLeftoverPins, startAgent } from "./agent.ts";
import type { Benchmark, BenchmarkOptions, Figure } from "./figure.ts";
import { benchMesh, benchWorkload } from "./mesh.ts";
import { median } from "./statistics.ts";

const nearFirst: LoadBalancer = {
  routingPreferences: ["Region", "Zone"],
  mode: "Failover",
  healthPolicy: "OnlyHealthy",
};
const zones = ["a", "b", "c"].map((zone) => ({ region: "r", zone, subzone: "" }));

export const localityBenchmark: Benchmark = {
  name: "locality",
  title: "one endpoint more in services of 10 to 100,000; the node's place changes",
  run: async (options) => {
    using shim = openShim();
    await removeLeftoverCgroups(cgroup2Mount(), "weft-bench");
    removeLeftoverPins(shim);
    return [...await endpointFigures(shim, options), ...await placeFigures(shim, options)];
  },
};

/** The mesh, with every service ranked and its endpoints in three zones. */
function ranked(mesh: Mesh): Mesh {
  return {
    ...mesh,
    services: mesh.services.map((service) => ({ ...service, loadBalancer: nearFirst })),
    workloads: mesh.workloads.map((workload, i) => ({ ...workload, locality: zones[i % 3] })),
  };
}

async function timed(agent: BenchAgent, change: () => void): Promise<number> {
  const start = performance.now();
  change();
  await agent.controller.idle();
  return performance.now() - start;
}

/** How long a flush takes that adds one endpoint to a service of this size, in ms. */
async function addEndpoints(shim: Shim, size: number, count: number): Promise<number[]> {
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "locality"));
  await using agent = startAgent(shim, cgroup, "locality");
  let snapshot = replaceMesh(emptySnapshot(), benchMesh(1, size));
  agent.controller.submit(snapshot);
  await agent.controller.idle();
  await agent.datapath.settle();
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const more: Workload = { ...benchWorkload(size + i, 1), services: benchWorkload(0, 1).services };
    snapshot = editSnapshot(snapshot, { upsertWorkloads: [more] });
    times.push(await timed(agent, () => agent.controller.submit(snapshot)));
    await agent.datapath.settle();
  }
  return times;
}

async function endpointFigures(shim: Shim, { quick, say }: BenchmarkOptions): Promise<Figure[]> {
  const medians = new Map<number, number>();
  const slowest = new Map<number, number>();
  for (const size of [10, 1000, 100_000]) {
    const count = quick ? 10 : size === 100_000 ? 100 : 1000;
    say(`${count} endpoints more, one by one, in a service of ${size}`);
    const times = await addEndpoints(shim, size, count);
    medians.set(size, median(times));
    slowest.set(size, times.reduce((most, one) => Math.max(most, one)));
  }
  const at = (size: number) => medians.get(size)!;
  return [{
    name: "one endpoint more: flush in a service of 100,000 / of 10",
    value: at(100_000) / at(10),
    unit: "×",
    goal: 1.5,
    details: Object.fromEntries(
      [...medians].flatMap((
        [size, ms],
      ) => [[`${size}: median ms`, ms], [`${size}: slowest ms`, slowest.get(size)!]]),
    ),
  }];
}

async function placeFigures(shim: Shim, { quick, say }: BenchmarkOptions): Promise<Figure[]> {
  say("the node's place changes: 5,000 services, 100,000 endpoints in three zones");
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "place"));
  const node = createNodeFinder({
    network: "",
    node: "here",
    clusterId: "",
    region: undefined,
    zone: undefined,
    subzone: undefined,
  });
  await using agent = startAgent(shim, cgroup, "place", { node });
  const here = (zone: number): Workload => ({
    ...benchWorkload(200_000, 1),
    node: "here",
    services: new Map(),
    locality: zones[zone],
  });
  let snapshot = editSnapshot(replaceMesh(emptySnapshot(), ranked(benchMesh(5000, 20))), {
    upsertWorkloads: [here(0)],
  });
  agent.controller.submit(snapshot);
  await agent.controller.idle();
  await agent.datapath.settle();
  const times: number[] = [];
  for (let i = 1; i <= (quick ? 2 : 6); i++) {
    snapshot = editSnapshot(snapshot, { upsertWorkloads: [here(i % 3)] });
    times.push(await timed(agent, () => agent.controller.submit(snapshot)));
    await agent.datapath.settle();
  }
  return [{
    name: "the node's place changes: all 5,000 services ranked anew",
    value: median(times),
    unit: "ms",
    goal: 1000,
    details: {
      "slowest ms": times.reduce((most, one) => Math.max(most, one)),
      "endpoints of the last": agent.controller.state.lastFlush!.endpointsWritten,
      "records of the last": agent.controller.state.lastFlush!.recordsPublished,
    },
  }];
}
