/** What it costs a connection how its endpoint is chosen. */

import { openShim } from "../ffi/mod.ts";
import { type Choice, lbPolicyOf } from "../src/mesh/mod.ts";
import { directService, directTier } from "./direct_service.ts";
import type { Benchmark, Figure } from "./figure.ts";
import type { Timing } from "./load.ts";
import { servicePort } from "./mesh.ts";
import { flatten, median, medianRatio } from "./statistics.ts";
import { createWorld } from "./world.ts";

/** Endpoints of each service, with weights 1 to 4. */
const endpoints = 20;

const choices: readonly Choice[] = [
  { kind: "random" },
  { kind: "roundRobin" },
  { kind: "leastRequest", choices: 2 },
  { kind: "ringHash", minimumSize: 1024, maximumSize: 8_388_608 },
  { kind: "maglev", tableSize: 65_537 },
];

export const policiesBenchmark: Benchmark = {
  name: "policies",
  title: "TCP connect() by how the endpoint is chosen / at random by weight",
  run: async ({ quick, say }) => {
    using shim = openShim();
    await using world = await createWorld(shim, say);
    const { datapath } = world.agent;
    const weights = Array.from({ length: endpoints }, (_, i) => i % 4 + 1);
    const services = choices.map((choice, i) => ({
      name: lbPolicyOf(choice),
      vip: `10.200.1.${i + 1}`,
      choice,
    }));
    await datapath.flush(services.map(({ name, vip, choice }) => {
      const service = directService(name, vip, [directTier(0, 0, weights)], choice);
      return [service.service, service] as const;
    }));
    await datapath.settle();
    say(services.map(({ name }) => name).join(", "));
    const [random, ...others] = await world.load({
      protocol: "tcp",
      rounds: quick ? 20 : 300,
      batch: 64,
      listeners: world.ports.map((port) => ({ cgroup: world.cgroup("listeners"), port })),
      variants: services.map(({ name, vip }) => ({
        name,
        cgroup: world.cgroup("weft"),
        targets: [`${vip} ${servicePort}`],
      })),
    });
    return others.map((timing, i) => compare(services[i + 1].name, timing, random));
  },
};

function compare(name: string, timing: Timing, random: Timing): Figure {
  const ns = ({ connect }: Timing) => Math.round(median(flatten(connect)));
  return {
    name: `TCP connect: ${name} / RANDOM`,
    value: medianRatio(timing.connect, random.connect).value,
    unit: "×",
    details: { [`${name} ns`]: ns(timing), "RANDOM ns": ns(random) },
  };
}
