/** The kernel memory of all maps. */

import { closeFd, mapInfo, mapMemory, openMapById, openShim, type Shim } from "../ffi/mod.ts";
import { hookStatuses, pinPaths } from "../src/dataplane/mod.ts";
import {
  cgroup2Mount,
  createCgroup,
  ownedName,
  removeLeftoverCgroups,
  run as runCommand,
} from "../src/host/mod.ts";
import { emptySnapshot, type Mesh, replaceMesh } from "../src/mesh/mod.ts";
import { type BenchAgent, removeLeftoverPins, startAgent } from "./agent.ts";
import type { Benchmark, Figure } from "./figure.ts";
import { enterMemoryCgroup } from "./memory_cgroup.ts";
import { benchMesh } from "./mesh.ts";

const mebibyte = 1024 * 1024;

/** What sockets remember; its size does not depend on the mesh. */
const socketMaps = ["socket_buckets", "socket_peers", "flows", "exempt_sockets"];

export const memoryBenchmark: Benchmark = {
  name: "memory",
  title: "kernel memory of all maps (memlock in fdinfo), beyond per-socket state",
  run: async ({ say }) => {
    using shim = openShim();
    await removeLeftoverCgroups(cgroup2Mount(), "weft-bench");
    removeLeftoverPins(shim);
    using memoryCgroup = enterMemoryCgroup(say);
    const measureMesh = async (name: string, mesh: Mesh, goal: number) => {
      say(name);
      return figureOf(name, goal, await measure(shim, mesh, memoryCgroup.charged));
    };
    return [
      await measureMesh("an empty mesh, default sizes", benchMesh(0, 0), 3),
      await measureMesh("5,000 services, 100,000 endpoints", benchMesh(5000, 20), 12),
    ];
  },
};

interface Measured {
  /** Bytes by map; all records in one. */
  readonly maps: ReadonlyMap<string, number>;
  /** What the memory cgroup was charged, all of it: maps, programs and this process's own memory. */
  readonly charged: number | undefined;
}

function figureOf(name: string, goal: number, { maps, charged }: Measured): Figure {
  const isSocketMap = (map: string) => socketMaps.includes(map);
  const sum = (wanted: (map: string) => boolean) =>
    [...maps].filter(([map]) => wanted(map)).reduce((total, [, bytes]) => total + bytes, 0) / mebibyte;
  const largestFirst = [...maps].filter(([map]) => !isSocketMap(map)).toSorted(([, a], [, b]) => b - a);
  return {
    name,
    value: sum((map) => !isSocketMap(map)),
    unit: "MiB",
    goal,
    details: {
      ...Object.fromEntries(largestFirst.map(([map, bytes]) => [`${map} KiB`, Math.round(bytes / 1024)])),
      "per-socket state MiB": sum(isSocketMap),
      ...(charged === undefined ? {} : { "kernel memory charged MiB": charged / mebibyte }),
    },
  };
}

async function measure(
  shim: Shim,
  mesh: Mesh,
  charged: () => number | undefined,
): Promise<Measured> {
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "memory"));
  const before = charged();
  await using agent = await startAgent(shim, cgroup, "memory");
  agent.controller.submit(replaceMesh(emptySnapshot(), mesh));
  await agent.controller.idle();
  await agent.datapath.settle();
  const maps = await memoryOfPrograms(shim, agent);
  maps.set("all records", agent.datapath.pool.memory());
  const after = charged();
  return { maps, charged: before === undefined || after === undefined ? undefined : after - before };
}

/** The memory of every map that the attached programs use, whoever made it: what the agent does not count itself is here too. */
async function memoryOfPrograms(shim: Shim, agent: BenchAgent): Promise<Map<string, number>> {
  const ids = new Set<number>();
  for (const { programId } of hookStatuses(shim, pinPaths(agent.pinRoot).links, undefined)) {
    const info = JSON.parse(await runCommand(["bpftool", "-j", "prog", "show", "id", `${programId}`]));
    for (const id of info.map_ids) ids.add(id);
  }
  const memories = new Map<string, number>();
  for (const id of ids) {
    const fd = openMapById(shim, id);
    if (fd === undefined) throw new Error(`map ${id} is gone while its program is attached`);
    memories.set(mapInfo(shim, fd).name, mapMemory(shim, fd));
    closeFd(shim, fd);
  }
  return memories;
}
