/** What nearness costs a connection, and how exactly weights are kept. */

import type { Shim } from "../ffi/mod.ts";
import { nearestTier } from "../src/dataplane/mod.ts";
import { directService, directTier } from "./direct_service.ts";
import type { BenchmarkOptions, Figure } from "./figure.ts";
import type { Timing } from "./load.ts";
import { servicePort } from "./mesh.ts";
import { flatten, median, medianRatio } from "./statistics.ts";
import { createWorld, type World } from "./world.ts";

/** A mesh file reaches 7 tiers: six scopes, each of which agrees or not. */
const tiers = 12;
const perTier = 20;
const weights = [1, 2, 3, 4];
const picks = 1_000_000;

const vips = { many: "10.200.0.1", one: "10.200.0.2", weighted: "10.200.0.3" };

const equal = Array.from({ length: perTier }, () => 1);

export async function choiceFigures(shim: Shim, options: BenchmarkOptions): Promise<Figure[]> {
  await using world = await createWorld(shim, options.say);
  const { datapath } = world.agent;
  const all = Array.from({ length: tiers }, (_, i) => directTier(tiers - 1 - i, i * perTier, equal));
  const last = all[tiers - 1];
  await datapath.flush([
    ["bench/many", directService("many", vips.many, all)],
    ["bench/one", directService("one", vips.one, [last])],
    ["bench/weighted", directService("weighted", vips.weighted, [directTier(0, 0, weights)])],
  ]);
  // Tier by tier the nearest one goes, as when health or failures empty it.
  for (let first = 1; first < tiers; first++) {
    await datapath.flush([["bench/many", directService("many", vips.many, all.slice(first))]]);
  }
  await datapath.settle();
  return [await tierFigure(world, options), await weightFigure(world, options)];
}

async function tierFigure(world: World, { quick, say }: BenchmarkOptions): Promise<Figure> {
  say(`connect() to a service of ${tiers} tiers of which ${tiers - 1} are empty`);
  const variant = (name: string, vip: string) => ({
    name,
    cgroup: world.cgroup("weft"),
    targets: [`${vip} ${servicePort}`],
  });
  const [many, one] = await world.load({
    protocol: "tcp",
    rounds: quick ? 20 : 300,
    batch: 64,
    listeners: world.ports.map((port) => ({ cgroup: world.cgroup("listeners"), port })),
    variants: [variant("12 tiers", vips.many), variant("one tier", vips.one)],
  });
  const ns = ({ connect }: Timing) => Math.round(median(flatten(connect)));
  return {
    name: `TCP connect: ${tiers} tiers, ${tiers - 1} of them empty / one tier`,
    value: medianRatio(many.connect, one.connect).value,
    unit: "×",
    goal: 1.1,
    details: { "12 tiers ns": ns(many), "one tier ns": ns(one) },
  };
}

/** Every connect() of a new UDP socket is one choice; the kernel counts them by endpoint. */
async function weightFigure(world: World, { say }: BenchmarkOptions): Promise<Figure> {
  say(`${picks} choices by weight`);
  const batch = 5000;
  await world.load({
    protocol: "udp",
    rounds: picks / batch,
    batch,
    listeners: [],
    variants: [{
      name: "weighted",
      cgroup: world.cgroup("weft"),
      targets: [`${vips.weighted} ${servicePort}`],
    }],
  });
  const { maps, applied } = world.agent.datapath;
  const [port] = applied.services.get("bench/weighted")!.servicePorts.values();
  const chosen = nearestTier(port)!.rows.map(({ weight, index }) => ({
    weight,
    times: Number(maps!.endpointHits.lookup(index) ?? 0n),
  }));
  const sum = chosen.reduce((total, { times }) => total + times, 0);
  if (sum < picks) throw new Error(`the kernel counted ${sum} of ${picks} choices`);
  const whole = weights.reduce((total, weight) => total + weight, 0);
  const errors = chosen.map(({ weight, times }) => Math.abs(times / sum / (weight / whole) - 1) * 100);
  return {
    name: `${picks.toLocaleString("en")} choices by weight: furthest from its weight`,
    value: Math.max(...errors),
    unit: "%",
    goal: 1,
    details: Object.fromEntries(chosen.map(({ weight, times }) => [`weight ${weight}: chosen`, times])),
  };
}
