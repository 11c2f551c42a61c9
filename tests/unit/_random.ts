/** Random, and the same in every run: numbers, edits and meshes for property tests. */

import type { Mesh, MeshEdit, Service, ServiceKey, Snapshot, Workload } from "../../src/mesh/mod.ts";
import { service, workload } from "./_mesh.ts";

/** Numbers in 0..1, the same ones in every run with one seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const uids = ["w0", "w1", "w2", "w3", "w4", "w5"];
const keys = ["a/x", "a/y", "b/x", "b/y", "c/x"];

function some<T>(random: () => number, values: readonly T[], share: number): T[] {
  return values.filter(() => random() < share);
}

function randomService(random: () => number, key: ServiceKey): Service {
  return service(key, some(random, ["10.96.0.1", "10.96.0.2", "fd96::1"], 0.4), {
    canonical: random() < 0.3,
    visibility: random() < 0.3 ? "Namespace" : "Public",
    needsWaypoint: random() < 0.1,
    assigned: null,
    outlierDetection: true,
    endpoints: some(random, uids, 0.2).map((workloadUid) => ({ workloadUid, ports: new Map() })),
  });
}

function randomWorkload(random: () => number, uid: string): Workload {
  return workload(uid, some(random, keys, 0.4), {
    status: random() < 0.3 ? "Unhealthy" : "Healthy",
    capacity: Math.floor(random() * 3),
    addresses: some(random, ["10.0.0.1", "fd00::1"], 0.7),
    node: ["", "n0", "n1"][Math.floor(random() * 3)],
  });
}

/** An edit of few uids and services, such that edits often meet. */
export function randomEdit(random: () => number): MeshEdit {
  return {
    removeWorkloads: some(random, uids, 0.05),
    removeServices: some(random, keys, 0.05),
    upsertWorkloads: some(random, uids, 0.1).map((uid) => randomWorkload(random, uid)),
    upsertServices: some(random, keys, 0.1).map((key) => randomService(random, key)),
  };
}

/** What the snapshot says, some of it left out, in another order. */
export function shuffledMesh(random: () => number, snapshot: Snapshot): Mesh {
  const shuffled = <T>(values: Iterable<T>) =>
    some(random, [...values], 0.95).map((value) => ({ value, place: random() }))
      .sort((a, b) => a.place - b.place).map(({ value }) => value);
  return {
    workloads: shuffled(snapshot.workloads.values()),
    services: shuffled(snapshot.services.values()),
    policies: [],
  };
}
