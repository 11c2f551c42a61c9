/** Adds one endpoint to a mesh between two marks for strace, and prints how many bpf() calls the shim counted. */

import { openShim } from "../ffi/mod.ts";
import { cgroup2Mount, createCgroup, ownedName } from "../src/host/mod.ts";
import { editSnapshot, emptySnapshot, replaceMesh } from "../src/mesh/mod.ts";
import { startAgent } from "./agent.ts";
import { callsBetween, markTrace, sumOf } from "./calls.ts";
import { benchMesh, benchWorkload } from "./mesh.ts";

const size = Number(Deno.args[0]);
const endpoints = 20;
using shim = openShim();
await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "traced"));
await using agent = await startAgent(shim, cgroup, "traced");
const snapshot = replaceMesh(emptySnapshot(), benchMesh(size, endpoints));
agent.controller.submit(snapshot);
await agent.controller.idle();
await agent.datapath.settle();

const more = {
  ...benchWorkload(size * endpoints, endpoints),
  services: benchWorkload(0, endpoints).services,
};
const before = new Map(shim.counts);
markTrace("start");
agent.controller.submit(editSnapshot(snapshot, { upsertWorkloads: [more] }));
await agent.controller.idle();
await agent.datapath.settle();
markTrace("end");
console.log(sumOf(callsBetween(before, shim.counts)));
