/** Where the benchmarks with real connections run: one cgroup with weft, one that only chooses, one with empty programs, one with nothing. */

import { closeFd, openDirectory, queryPrograms, type Shim } from "../ffi/mod.ts";
import { hooks } from "../src/dataplane/mod.ts";
import { cgroup2Mount, createCgroup, ownedName, removeLeftoverCgroups } from "../src/host/mod.ts";
import { emptySnapshot, replaceMesh } from "../src/mesh/mod.ts";
import {
  attachChoice,
  attachEmptyPrograms,
  type BenchAgent,
  type EmptyPrograms,
  startAgent,
} from "./agent.ts";
import { runLoad } from "./load.ts";
import type { LoadOptions, Timing } from "./load.ts";
import { enterMemoryCgroup } from "./memory_cgroup.ts";
import {
  addressOf,
  benchMesh,
  ipv6Endpoints,
  ipv6Vip,
  servicePort,
  targetPort,
  vipOf,
  withIpv6Service,
} from "./mesh.ts";
import { buildObject, buildProgram } from "./tools.ts";

/** Services of the mesh. */
export const worldServices = 5000;
/** Endpoints of each. */
export const worldEndpoints = 20;

export type CgroupName = "weft" | "choice" | "empty" | "plain" | "listeners";

/** Destinations for `LoadOptions`: through VIPs, or to their endpoints. */
export interface Targets {
  readonly vip: readonly string[];
  readonly direct: readonly string[];
}

export interface World extends AsyncDisposable {
  readonly agent: BenchAgent;
  readonly empty: EmptyPrograms;
  readonly cgroup: (name: CgroupName) => string;
  /** One service's VIP. */
  readonly oneService: Targets;
  /** As `oneService`, over IPv6. */
  readonly oneIpv6Service: Targets;
  /** Every service. */
  readonly allServices: Targets;
  /** The ports that endpoints listen on. */
  readonly ports: readonly number[];
  readonly load: (options: Omit<LoadOptions, "program" | "memoryCgroup">) => Promise<readonly Timing[]>;
}

/** Builds the world with weft in it, serving the whole mesh; this process moves into a memory cgroup of its own. */
export async function createWorld(shim: Shim, say: (line: string) => void): Promise<World> {
  await using stack = new AsyncDisposableStack();
  await removeLeftoverCgroups(cgroup2Mount(), "weft-bench");
  const program = await buildProgram("connect");
  const memory = stack.use(enterMemoryCgroup(say));
  const top = stack.use(createCgroup(cgroup2Mount(), ownedName("weft-bench", "world")));
  const names: readonly CgroupName[] = ["weft", "choice", "empty", "plain", "listeners"];
  const cgroups = new Map(names.map((name) => [name, stack.use(createCgroup(top.path, name))]));
  sayForeignPrograms(shim, cgroups.get("plain")!.path, say);
  const empty = stack.use(await attachEmptyPrograms(shim, cgroups.get("empty")!, await buildObject("empty")));
  const agent = stack.use(await startAgent(shim, cgroups.get("weft")!, "world"));
  const mesh = withIpv6Service(benchMesh(worldServices, worldEndpoints));
  agent.controller.submit(replaceMesh(emptySnapshot(), mesh));
  await agent.controller.idle();
  await agent.datapath.settle();
  stack.use(await attachChoice(shim, cgroups.get("choice")!, agent, await buildObject("choice")));
  const vips = Array.from({ length: worldServices }, (_, service) => `${vipOf(service)} ${servicePort}`);
  const endpoints = Array.from(
    { length: worldServices * worldEndpoints },
    (_, n) => `${addressOf(n)} ${targetPort}`,
  );
  const ports = Array.from({ length: ipv6Endpoints }, (_, i) => targetPort + i);
  const owned = stack.move();
  return {
    agent,
    empty,
    cgroup: (name) => cgroups.get(name)!.path,
    oneService: { vip: [vips[0]], direct: endpoints.slice(0, worldEndpoints) },
    oneIpv6Service: { vip: [`${ipv6Vip} ${servicePort}`], direct: ports.map((port) => `::1 ${port}`) },
    allServices: { vip: vips, direct: endpoints },
    ports,
    load: (options) => runLoad({ ...options, program, memoryCgroup: memory.outside }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Programs of somebody else on a cgroup above ours run for all connections alike, and make every ratio look better. */
function sayForeignPrograms(shim: Shim, cgroup: string, say: (line: string) => void): void {
  const fd = openDirectory(shim, cgroup);
  for (const { name, attachType } of hooks) {
    const count = queryPrograms(shim, fd, attachType, name).length;
    if (count > 0) say(`${count} other programs run on hook ${name} of every cgroup: detach them to compare`);
  }
  closeFd(shim, fd);
}
