/** One endpoint of a small and of a very large service: added, moved to another zone and back, removed. */

import type { Shim } from "../ffi/mod.ts";
import { cgroup2Mount, createCgroup, ownedName } from "../src/host/mod.ts";
import { editSnapshot, emptySnapshot, type MeshEdit, replaceMesh, type Workload } from "../src/mesh/mod.ts";
import { startAgent } from "./agent.ts";
import type { BenchmarkOptions, Figure } from "./figure.ts";
import { nearPlace, ranked, zones } from "./locality_mesh.ts";
import { benchMesh, benchWorkload, movedTo } from "./mesh.ts";
import { median } from "./statistics.ts";

/** What is done with each endpoint, one after the other: each is one flush. */
const steps = ["added", "moved away", "moved back", "removed"] as const;
type Step = typeof steps[number];

/** An even number of endpoints are near, and as many far. */
const sizes = [10, 1000, 100_000] as const;

interface Times {
  readonly steps: Readonly<Record<Step, readonly number[]>>;
  /** All of the service's endpoints get another target port. */
  readonly rewrites: readonly number[];
}

export async function endpointFigures(shim: Shim, { quick, say }: BenchmarkOptions): Promise<Figure[]> {
  const times = new Map<number, Times>();
  for (const size of sizes) {
    const count = quick ? 20 : 1000;
    say(`${count} endpoints added, moved and removed, one by one, in a service of ${size}`);
    times.set(size, await timeEndpoints(shim, size, count, quick ? 1 : 5));
  }
  const large = sizes[sizes.length - 1];
  const all = ({ steps }: Times) => Object.values(steps).flat();
  const rewrite = median(times.get(large)!.rewrites);
  return [
    ...steps.map((step) => stepFigure(step, times)),
    {
      name: "one endpoint of 100,000: flush / writing the whole service anew",
      value: 100 * median(all(times.get(large)!)) / rewrite,
      unit: "%",
      goal: 1,
      details: { "one endpoint: median ms": median(all(times.get(large)!)), "whole service ms": rewrite },
    },
  ];
}

function stepFigure(step: Step, times: ReadonlyMap<number, Times>): Figure {
  const of = (size: number) => times.get(size)!.steps[step];
  return {
    name: `one endpoint ${step}: flush in a service of 100,000 / of 10`,
    value: median(of(100_000)) / median(of(10)),
    unit: "×",
    goal: 1.5,
    details: Object.fromEntries(sizes.flatMap((size) => [
      [`${size}: median ms`, median(of(size))],
      [`${size}: slowest ms`, of(size).reduce((most, one) => Math.max(most, one))],
    ])),
  };
}

async function timeEndpoints(shim: Shim, size: number, count: number, rewrites: number): Promise<Times> {
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "endpoints"));
  await using agent = await startAgent(shim, cgroup, "endpoints", { place: nearPlace });
  const half = ranked(benchMesh(1, size), (i) => zones[i % 2]);
  let snapshot = replaceMesh(emptySnapshot(), half);
  agent.controller.submit(snapshot);
  await agent.controller.idle();
  await agent.datapath.settle();
  const timed = async (edit: MeshEdit) => {
    const next = editSnapshot(snapshot, edit);
    const start = performance.now();
    agent.controller.submit(next);
    await agent.controller.idle();
    const ms = performance.now() - start;
    snapshot = next;
    await agent.datapath.settle();
    return ms;
  };
  const times: Record<Step, number[]> = { added: [], "moved away": [], "moved back": [], removed: [] };
  const member = (i: number, locality = zones[0]): Workload => ({
    ...movedTo(benchWorkload(size + i, 1), { locality }),
    services: half.workloads[0].services,
  });
  for (let i = 0; i < count; i++) times.added.push(await timed({ upsertWorkloads: [member(i)] }));
  for (let i = 0; i < count; i++) {
    times["moved away"].push(await timed({ upsertWorkloads: [member(i, zones[1])] }));
    times["moved back"].push(await timed({ upsertWorkloads: [member(i)] }));
  }
  for (let i = 0; i < count; i++) times.removed.push(await timed({ removeWorkloads: [member(i).uid] }));
  const whole: number[] = [];
  for (let i = 0; i < rewrites; i++) {
    const services = new Map(
      [...half.workloads[0].services.keys()].map((key) => [key, new Map([[80, 9000 + i]])]),
    );
    whole.push(await timed({ upsertWorkloads: half.workloads.map((one) => ({ ...one, services })) }));
  }
  return { steps: times, rewrites: whole };
}
