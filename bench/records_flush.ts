/** A flush that needs 50 new records, while the pool grows by 10,000 in the background and while it does not. */

import type { Shim } from "../ffi/mod.ts";
import { cgroup2Mount, createCgroup, ownedName } from "../src/host/mod.ts";
import { classOf } from "../src/records/mod.ts";
import { editSnapshot, emptySnapshot, replaceMesh, type Snapshot } from "../src/mesh/mod.ts";
import { type BenchAgent, startAgent } from "./agent.ts";
import type { BenchmarkOptions, Figure } from "./figure.ts";
import { benchMesh } from "./mesh.ts";
import { median, quantile } from "./statistics.ts";

const services = 500;
const endpoints = 20;
const newRecords = 50;
const scaleOut = 10_000;
/** Of a class that the mesh does not use: its spares are not what the flushes take. */
const scaleOutClass = classOf(endpoints) + 1;
/** Classes grow and never shrink, so that only the scale-out works in the background. */
const onlyGrow = { growAt: 0.7, shrinkAt: -1, step: 256 };

/** Adds 50 services with their endpoints, and takes them away again. @returns how long adding took, in milliseconds */
async function addServices(agent: BenchAgent, base: Snapshot, more: Snapshot): Promise<number> {
  const start = performance.now();
  agent.controller.submit(more);
  await agent.controller.idle();
  const ms = performance.now() - start;
  agent.controller.submit(base);
  await agent.controller.idle();
  // Flushes that find spares wait for nothing: what goes on in the background would never have its turn.
  await new Promise((resolve) => setTimeout(resolve));
  return ms;
}

export async function flushFigures(shim: Shim, { quick, say }: BenchmarkOptions): Promise<Figure[]> {
  say(`flushes of ${newRecords} new records beside a scale-out of ${scaleOut}`);
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "flush"));
  await using agent = await startAgent(shim, cgroup, "flush", {
    records: 4 * scaleOut,
    watermarks: onlyGrow,
  });
  const all = benchMesh(services + newRecords, endpoints);
  const base = replaceMesh(emptySnapshot(), benchMesh(services, endpoints));
  const more = editSnapshot(base, {
    upsertServices: all.services.slice(services),
    upsertWorkloads: all.workloads.slice(services * endpoints),
  });
  agent.controller.submit(base);
  await agent.controller.idle();
  await agent.datapath.settle();
  const { pool } = agent.datapath;

  const idle: number[] = [];
  const busy: number[] = [];
  let growMs = 0;
  const rounds = quick ? 3 : 15;
  for (let round = -1; round < rounds; round++) {
    const idleRound: number[] = [];
    for (let i = 0; i < 8; i++) {
      idleRound.push(await addServices(agent, base, more));
      await agent.datapath.settle();
    }
    let growing = true;
    const start = performance.now();
    const done = pool.growClass(scaleOutClass, scaleOut).then(() => growing = false);
    const busyRound: number[] = [];
    while (growing) busyRound.push(await addServices(agent, base, more));
    await done;
    growMs = performance.now() - start;
    await agent.datapath.settle();
    await pool.shrinkClass(scaleOutClass, scaleOut);
    // The first round warms up.
    if (round < 0) continue;
    idle.push(...idleRound);
    busy.push(...busyRound.slice(0, -1));
  }
  return [{
    name: "flush of 50 new records: beside a scale-out of 10,000 / idle",
    value: median(busy) / median(idle),
    unit: "×",
    goal: 2,
    details: {
      "beside ms": median(busy),
      "idle ms": median(idle),
      "beside, 95% ms": quantile(busy, 0.95),
      "idle, 95% ms": quantile(idle, 0.95),
      "flushes beside": busy.length,
      "one scale-out ms": growMs,
      // The first configuration is one.
      "flushes that found too few spares": pool.counts.bursts - 1,
    },
  }];
}
