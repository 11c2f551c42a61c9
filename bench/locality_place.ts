/** The node's place changes: every endpoint is ranked anew. */

import type { Shim } from "../ffi/mod.ts";
import { cgroup2Mount, createCgroup, ownedName } from "../src/host/mod.ts";
import { createNodeFinder } from "../src/locality/mod.ts";
import { editSnapshot, emptySnapshot, replaceMesh, type Workload } from "../src/mesh/mod.ts";
import { startAgent } from "./agent.ts";
import type { BenchmarkOptions, Figure } from "./figure.ts";
import { ranked, zones } from "./locality_mesh.ts";
import { benchMesh, benchWorkload, movedTo } from "./mesh.ts";
import { median } from "./statistics.ts";

export async function placeFigures(shim: Shim, { quick, say }: BenchmarkOptions): Promise<Figure[]> {
  say("the node's place changes: 5,000 services, 100,000 endpoints in three zones");
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "place"));
  const untold = { region: undefined, zone: undefined, subzone: undefined };
  const node = createNodeFinder({ network: "", node: "here", clusterId: "", ...untold });
  await using agent = await startAgent(shim, cgroup, "place", { node });
  const here = (zone: number): Workload => ({
    ...movedTo(benchWorkload(200_000, 1), { node: "here", locality: zones[zone] }),
    services: new Map(),
  });
  const mesh = ranked(benchMesh(5000, 20), (i) => zones[i % 3]);
  let snapshot = editSnapshot(replaceMesh(emptySnapshot(), mesh), { upsertWorkloads: [here(0)] });
  agent.controller.submit(snapshot);
  await agent.controller.idle();
  await agent.datapath.settle();
  const times: number[] = [];
  for (let i = 1; i <= (quick ? 2 : 6); i++) {
    snapshot = editSnapshot(snapshot, { upsertWorkloads: [here(i % 3)] });
    const start = performance.now();
    agent.controller.submit(snapshot);
    await agent.controller.idle();
    times.push(performance.now() - start);
    await agent.datapath.settle();
  }
  const { lastFlush } = agent.controller.state;
  return [{
    name: "the node's place changes: all 5,000 services ranked anew",
    value: median(times),
    unit: "ms",
    goal: 1000,
    details: {
      "slowest ms": times.reduce((most, one) => Math.max(most, one)),
      "endpoints of the last": lastFlush!.endpointsWritten,
      "records of the last": lastFlush!.recordsPublished,
    },
  }];
}
