/** What connect() to a VIP costs beside connect() to the endpoint's own address. */

import { openShim } from "../ffi/mod.ts";
import type { Benchmark, Figure } from "./figure.ts";
import type { Timing } from "./load.ts";
import { flatten, median, medianRatio } from "./statistics.ts";
import { createWorld, type Targets, type World } from "./world.ts";

interface Case {
  readonly name: string;
  readonly protocol: "tcp" | "udp";
  readonly targets: (world: World) => Targets;
  readonly goal?: number;
}

const cases: readonly Case[] = [
  { name: "TCP, one VIP", protocol: "tcp", targets: (world) => world.oneService, goal: 1.04 },
  { name: "UDP, one VIP", protocol: "udp", targets: (world) => world.oneService, goal: 1.3 },
  { name: "TCP, random VIPs", protocol: "tcp", targets: (world) => world.allServices, goal: 1.2 },
  { name: "UDP, random VIPs", protocol: "udp", targets: (world) => world.allServices, goal: 1.4 },
  { name: "TCP, one IPv6 VIP", protocol: "tcp", targets: (world) => world.oneIpv6Service },
  { name: "UDP, one IPv6 VIP", protocol: "udp", targets: (world) => world.oneIpv6Service },
];

export const connectBenchmark: Benchmark = {
  name: "connect",
  title: "connect() to a VIP / to an endpoint's own address without weft: 5,000 services, 100,000 endpoints",
  run: async ({ quick, say }) => {
    using shim = openShim();
    await using world = await createWorld(shim, say);
    const figures: Figure[] = [];
    for (const one of cases) {
      say(one.name);
      const { vip, direct } = one.targets(world);
      const [viaVip, viaChoice, viaEmpty, plain] = await world.load({
        protocol: one.protocol,
        rounds: quick ? 20 : 300,
        batch: 64,
        listeners: world.ports.map((port) => ({ cgroup: world.cgroup("listeners"), port })),
        variants: [
          { name: "VIP", cgroup: world.cgroup("weft"), targets: vip },
          { name: "choosing alone", cgroup: world.cgroup("choice"), targets: vip, nameless: true },
          { name: "empty programs", cgroup: world.cgroup("empty"), targets: direct },
          { name: "direct", cgroup: world.cgroup("plain"), targets: direct },
        ],
      });
      figures.push(...compare(one, { vip: viaVip, choice: viaChoice, empty: viaEmpty, direct: plain }));
    }
    return figures;
  },
};

type Rounds = readonly ArrayLike<number>[];

interface Timings {
  readonly vip: Timing;
  /** To the VIP, by programs that choose as weft's do and do nothing else (bench/choice.bpf.c). */
  readonly choice: Timing;
  readonly empty: Timing;
  readonly direct: Timing;
}

function compare(one: Case, { vip, choice, empty, direct }: Timings): Figure[] {
  const ns = (rounds: Rounds) => Math.round(median(flatten(rounds)));
  const ratio = (what: string, above: Rounds, below: Rounds) => {
    const { value, interval: [low, high] } = medianRatio(above, below);
    const raw = { "VIP ns": ns(above), "direct ns": ns(below) };
    return {
      name: `${one.name}: ${what}`,
      value,
      unit: "×",
      details: { ...raw, "95%": `${low.toFixed(3)}–${high.toFixed(3)}` },
    } as const;
  };
  const connect = ratio("connect", vip.connect, direct.connect);
  const details = { ...connect.details, "direct with empty programs ns": ns(empty.connect) };
  return [
    { ...connect, goal: one.goal, details },
    ratio("connect, choosing alone", choice.connect, direct.connect),
    ratio("socket, connect, close", wholeLife(vip), wholeLife(direct)),
  ];
}

/** socket() + connect() + close() of each socket. */
function wholeLife(timing: Timing): readonly Float64Array[] {
  return timing.connect.map((round, r) =>
    Float64Array.from(round, (ns, i) => ns + timing.socket[r][i] + timing.close[r][i])
  );
}
