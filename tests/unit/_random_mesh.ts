/** Random meshes in which place, health, weights, contested VIPs and ranges all matter, and random ways to tell them by edits. */

import type { LoadBalancer, MeshEdit, PortMap, Scope, Service, Workload } from "../../src/mesh/mod.ts";
import { service, workload } from "./_mesh.ts";

type Random = () => number;

/** The node on which agents of these meshes run. */
export const thisNode = "n0";

const keys = ["a/w", "a/x", "b/w", "b/x", "c/y", "c/z"];
const uids = Array.from({ length: 14 }, (_, i) => `w${i}`);
const scopes: readonly Scope[] = ["Region", "Zone", "Subzone", "Node", "Cluster", "Network"];

const below = (random: Random, limit: number) => Math.floor(random() * limit);
const oneOf = <T>(random: Random, values: readonly T[]): T => values[below(random, values.length)];
const some = <T>(random: Random, values: readonly T[], share: number) =>
  values.filter(() => random() < share);

/** In a random order. */
export function shuffled<T>(random: Random, values: Iterable<T>): T[] {
  return [...values].map((value) => ({ value, by: random() })).sort((a, b) => a.by - b.by)
    .map(({ value }) => value);
}

function randomPorts(random: Random): PortMap {
  return new Map(some(random, [80, 443], 0.3).map((port) => [port, random() < 0.2 ? 0 : port + 9000]));
}

function randomBalancer(random: Random): LoadBalancer | null {
  if (random() < 0.2) return null;
  return {
    mode: oneOf(random, ["Standard", "Strict", "Failover", "Failover", "Failover", "Passthrough"]),
    routingPreferences: Array.from({ length: below(random, 4) }, () => oneOf(random, scopes)),
    healthPolicy: random() < 0.3 ? "AllowAll" : "OnlyHealthy",
  };
}

/** A service under a key. */
export function randomService(random: Random, key: string): Service {
  return service(key, some(random, ["10.96.0.1", "10.96.0.2", "10.96.0.3", "fd96::1", "fd96::2"], 0.4), {
    ranges: some(random, [["10.97.0.0", 16], ["10.97.5.0", 24], ["fd97::", 64]] as const, 0.2)
      .map(([address, prefixLength]) => ({ network: "", address, prefixLength })),
    ports: new Map(some(random, [80, 443], 0.8).map((port) => [port, random() < 0.15 ? 0 : 8080])),
    loadBalancer: randomBalancer(random),
    ipFamilies: random() < 0.1 ? "IPv4" : null,
    canonical: random() < 0.3,
    visibility: random() < 0.1 ? "Namespace" : "Public",
    needsWaypoint: random() < 0.05,
    assigned: null,
    outlierDetection: true,
    endpoints: some(random, uids, 0.05).map((workloadUid) => ({ workloadUid, ports: randomPorts(random) })),
  });
}

/** A workload with a uid. @param agree the zone of all workloads on this node; without it they may quarrel */
export function randomWorkload(random: Random, uid: string, agree?: string): Workload {
  const number = below(random, 40);
  const node = oneOf(random, [thisNode, "n1", "n2", ""]);
  const zone = node === thisNode && agree !== undefined ? agree : oneOf(random, ["z0", "z1", ""]);
  return workload(uid, [], {
    addresses: some(random, [`10.0.0.${number + 1}`, `fd00::${(number + 1).toString(16)}`], 0.9),
    network: random() < 0.05 ? "elsewhere" : "",
    node,
    clusterId: oneOf(random, ["", "c0"]),
    locality: { region: zone === "" ? "" : "r", zone, subzone: "" },
    status: random() < 0.2 ? "Unhealthy" : "Healthy",
    capacity: random() < 0.6 ? 1 : below(random, 4),
    services: new Map(some(random, keys, 0.4).map((key) => [key, randomPorts(random)])),
  });
}

/** What a mesh says in the end. */
export interface FinalMesh {
  readonly services: readonly Service[];
  readonly workloads: readonly Workload[];
}

/** In half of them the workloads on this node agree where it is. */
export function randomFinalMesh(random: Random): FinalMesh {
  const agree = random() < 0.5 ? oneOf(random, ["z0", "z1"]) : undefined;
  return {
    services: some(random, keys, 0.9).map((key) => randomService(random, key)),
    workloads: some(random, uids, 0.9).map((uid) => randomWorkload(random, uid, agree)),
  };
}

/** All that is told of one thing, in this order. */
type Story = readonly MeshEdit[];

/** A few other things that are said before the last word, which may be said again. */
function storyOf(
  random: Random,
  last: MeshEdit | undefined,
  remove: MeshEdit,
  other: () => MeshEdit,
): Story {
  const before = Array.from({ length: below(random, 3) }, () => random() < 0.3 ? remove : other());
  const after = last === undefined ? [remove] : random() < 0.3 ? [last, structuredClone(last)] : [last];
  return [...before, ...after];
}

/**
 * Edits that end in a mesh, whatever they say on the way: each thing by itself and each in an order of its own, among them things that
 * go again, deletes of what never was, and what is said twice. Workloads on this node, which say where it is, come last, first or in
 * between.
 */
export function randomEdits(random: Random, { services, workloads }: FinalMesh): MeshEdit[] {
  const serviceStories = keys.map((key): Story => {
    const last = services.find((one) => `${one.namespace}/${one.hostname}` === key);
    return storyOf(random, last && { upsertServices: [last] }, { removeServices: [key] }, () => ({
      upsertServices: [randomService(random, key)],
    }));
  });
  const workloadStories = uids.map((uid): Story => {
    const last = workloads.find((one) => one.uid === uid);
    return storyOf(random, last && { upsertWorkloads: [last] }, { removeWorkloads: [uid] }, () => ({
      upsertWorkloads: [randomWorkload(random, uid)],
    }));
  });
  const unknown: Story = [
    { removeWorkloads: ["never"] },
    { removeServices: ["never/was"] },
    { removePolicies: ["never/was"] },
  ];
  const hereLast = new Set(
    workloads.filter(({ traits }) => traits.node === thisNode).map(({ uid }) => uids.indexOf(uid)),
  );
  const isHere = (_: Story, i: number) => hereLast.has(i);
  const phases: readonly (readonly Story[])[] = oneOf(random, [
    [[...serviceStories, ...workloadStories, unknown]],
    [workloadStories, [...serviceStories, unknown]],
    [serviceStories, [...workloadStories, unknown]],
    [
      [...serviceStories, ...workloadStories.filter((story, i) => !isHere(story, i))],
      workloadStories.filter(isHere),
    ],
    [workloadStories.filter(isHere), [
      ...serviceStories,
      ...workloadStories.filter((story, i) => !isHere(story, i)),
    ]],
  ]);
  return phases.flatMap((stories) => interleaved(random, stories));
}

/** One event after the other, each from any story that has some left; now and then several events as one edit. */
function interleaved(random: Random, stories: readonly Story[]): MeshEdit[] {
  const left = stories.filter((story) => story.length > 0).map((story) => ({ story, at: 0 }));
  const edits: MeshEdit[] = [];
  while (left.length > 0) {
    // In one edit removals come first: no thing may be told of twice in it.
    const together = shuffled(random, left).slice(0, random() < 0.5 ? 1 : 1 + below(random, 5));
    edits.push(together.map(({ story, at }) => story[at]).reduce(merged));
    for (const one of together) if (++one.at === one.story.length) left.splice(left.indexOf(one), 1);
  }
  return edits;
}

function merged(a: MeshEdit, b: MeshEdit): MeshEdit {
  return {
    upsertWorkloads: [...a.upsertWorkloads ?? [], ...b.upsertWorkloads ?? []],
    removeWorkloads: [...a.removeWorkloads ?? [], ...b.removeWorkloads ?? []],
    upsertServices: [...a.upsertServices ?? [], ...b.upsertServices ?? []],
    removeServices: [...a.removeServices ?? [], ...b.removeServices ?? []],
    removePolicies: [...a.removePolicies ?? [], ...b.removePolicies ?? []],
  };
}
