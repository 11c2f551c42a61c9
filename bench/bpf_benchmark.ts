/** How long BPF programs run for one connection, by the kernel's own statistics (kernel.bpf_stats_enabled). */

import { check, closeFd, openProgramById, openShim, type Shim } from "../ffi/mod.ts";
import { hooks, hookStatuses, pinPaths } from "../src/dataplane/mod.ts";
import { type ProgramFds, readRunTimes } from "./agent.ts";
import type { Benchmark, Figure } from "./figure.ts";
import type { LoadOptions } from "./load.ts";
import { targetPort } from "./mesh.ts";
import { median } from "./statistics.ts";
import { createWorld, type World } from "./world.ts";

type Load = Omit<LoadOptions, "program" | "memoryCgroup">;

export const bpfBenchmark: Benchmark = {
  name: "bpf",
  title: "BPF ns per connection, net of empty programs on the same hooks in the same run",
  run: async ({ quick, say }) => {
    using shim = openShim();
    await using world = await createWorld(shim, say);
    const runs = quick ? 3 : 25;
    const measureNet = async (name: string, load: Load) => {
      say(name);
      return await netRunTimes(shim, world, load, runs);
    };
    const tcp = await measureNet("TCP, one VIP", clientLoad(world, "tcp", "oneService"));
    const accepted = await measureNet("TCP, accepted", acceptingLoad(world));
    const udp = await measureNet("UDP, one VIP", clientLoad(world, "udp", "oneService"));
    const tcpAll = await measureNet("TCP, random VIPs", clientLoad(world, "tcp", "allServices"));
    const udpAll = await measureNet("UDP, random VIPs", clientLoad(world, "udp", "allServices"));
    return [
      sum("TCP to one VIP, client: connect, getpeername, release", tcp, 650),
      sum("TCP to one VIP, accepting side: accept, release", accepted, 650),
      sum("TCP to random VIPs, client", tcpAll),
      sum("UDP to one VIP, client", udp),
      sum("UDP to random VIPs, client", udpAll),
    ];
  },
};

function sum(name: string, net: ReadonlyMap<string, number>, goal?: number): Figure {
  const value = [...net.values()].reduce((total, ns) => total + ns, 0);
  const details = Object.fromEntries([...net].map(([hook, ns]) => [hook, Math.round(ns)]));
  return { name, value: Math.round(value), unit: "ns", goal, details };
}

/** Connections from weft's cgroup to VIPs and from the one with empty programs to endpoints; both ask for the peer's name once. */
function clientLoad(world: World, protocol: "tcp" | "udp", services: "oneService" | "allServices"): Load {
  const { vip, direct } = world[services];
  return {
    protocol,
    rounds: 20,
    batch: 64,
    listeners: world.ports.map((port) => ({ cgroup: world.cgroup("listeners"), port })),
    variants: [
      { name: "weft", cgroup: world.cgroup("weft"), targets: vip },
      { name: "empty", cgroup: world.cgroup("empty"), targets: direct },
    ],
  };
}

/** Connections from where there are no programs to a listener in weft's cgroup and to one in that with empty programs. */
function acceptingLoad(world: World): Load {
  const cgroup = world.cgroup("plain");
  return {
    protocol: "tcp",
    rounds: 20,
    batch: 64,
    listeners: [
      { cgroup: world.cgroup("weft"), port: targetPort },
      { cgroup: world.cgroup("empty"), port: targetPort + 1 },
    ],
    variants: [
      { name: "weft", cgroup, targets: [`127.0.0.1 ${targetPort}`] },
      { name: "empty", cgroup, targets: [`127.0.0.1 ${targetPort + 1}`] },
    ],
  };
}

/**
 * What each hook costs one connection more than an empty program does, in ns: the median over runs of the load, as an interrupt in
 * the middle of a program counts as its run time. Only hooks that ran are in it.
 */
async function netRunTimes(
  shim: Shim,
  world: World,
  load: Load,
  runs: number,
): Promise<ReadonlyMap<string, number>> {
  const weft = openPinnedPrograms(shim, world.agent.pinRoot);
  const empty: ProgramFds = new Map(
    hooks.map((hook) => [hook.name, world.empty.object.program(hook.program)]),
  );
  const statistics = check(shim.call.weft_enable_stats(), "enable", "run time statistics of BPF programs");
  try {
    await world.load(load); // to warm up
    const nets = new Map<string, number[]>();
    for (let run = 0; run < runs; run++) {
      const before = [readRunTimes(shim, weft), readRunTimes(shim, empty)];
      await world.load(load);
      const after = [readRunTimes(shim, weft), readRunTimes(shim, empty)];
      const ranOf = (name: string, i: number) => after[i].get(name)!.runs - before[i].get(name)!.runs;
      for (const { name } of hooks) {
        const [weftNs, emptyNs] = after.map((times, i) => {
          const ran = ranOf(name, i);
          return ran === 0 ? undefined : (times.get(name)!.ns - before[i].get(name)!.ns) / ran;
        });
        if (weftNs === undefined || emptyNs === undefined) continue;
        // All but sockops run once.
        const perConnection = ranOf(name, 0) / ranOf("sock_release", 0);
        nets.set(name, [...nets.get(name) ?? [], (weftNs - emptyNs) * perConnection]);
      }
    }
    return new Map([...nets].map(([name, values]) => [name, median(values)]));
  } finally {
    closeFd(shim, statistics);
    for (const fd of weft.values()) closeFd(shim, fd);
  }
}

/** The programs that an agent's links hold. */
function openPinnedPrograms(shim: Shim, pinRoot: string): ProgramFds {
  return new Map(
    hookStatuses(shim, pinPaths(pinRoot).links, undefined).map(({ hook, programId }) => {
      const fd = programId === null ? undefined : openProgramById(shim, programId);
      if (fd === undefined) throw new Error(`no program on hook ${hook} while measuring`);
      return [hook, fd];
    }),
  );
}
