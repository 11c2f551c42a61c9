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
      const [viaVip, viaEmpty, plain] = await world.load({
        protocol: one.protocol,
        rounds: quick ? 20 : 300,
        batch: 64,
        listeners: world.ports.map((port) => ({ cgroup: world.cgroup("listeners"), port })),
        variants: [
          { name: "VIP", cgroup: world.cgroup("weft"), targets: vip },
          { name: "empty programs", cgroup: world.cgroup("empty"), targets: direct },
          { name: "direct", cgroup: world.cgroup("plain"), targets: direct },
        ],
      });
      figures.push(...compare(one, viaVip, viaEmpty, plain));
    }
    return figures;
  },
};

function compare(one: Case, vip: Timing, empty: Timing, direct: Timing): Figure[] {
  const { value, interval } = medianRatio(vip.connect, direct.connect);
  const whole = medianRatio(wholeLife(vip), wholeLife(direct));
  const ns = (rounds: readonly ArrayLike<number>[]) => Math.round(median(flatten(rounds)));
  const range = ([low, high]: readonly [number, number]) => `${low.toFixed(3)}–${high.toFixed(3)}`;
  return [
    {
      name: `${one.name}: connect`,
      value,
      unit: "×",
      goal: one.goal,
      details: {
        "VIP ns": ns(vip.connect),
        "direct ns": ns(direct.connect),
        "direct with empty programs ns": ns(empty.connect),
        "95%": range(interval),
      },
    },
    {
      name: `${one.name}: socket, connect, close`,
      value: whole.value,
      unit: "×",
      details: {
        "VIP ns": ns(wholeLife(vip)),
        "direct ns": ns(wholeLife(direct)),
        "95%": range(whole.interval),
      },
    },
  ];
}

/** socket() + connect() + close() of each socket. */
function wholeLife(timing: Timing): readonly Float64Array[] {
  return timing.connect.map((round, r) =>
    Float64Array.from(round, (ns, i) => ns + timing.socket[r][i] + timing.close[r][i])
  );
}
