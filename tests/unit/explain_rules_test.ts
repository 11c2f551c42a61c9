/**
 * `explain` beside the rules written down again as plainly as they read (the worked answers' RULES.md, reduced by their README), on
 * random meshes: small lists, no index, no compiler.
 */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { explain } from "../../src/explain/mod.ts";
import type { Place } from "../../src/locality/mod.ts";
import {
  emptySnapshot,
  type Mesh,
  replaceMesh,
  type Scope,
  type Service,
  type Workload,
} from "../../src/mesh/mod.ts";
import { randomFrom } from "./_random.ts";
import { randomService, randomWorkload, shuffled } from "./_random_mesh.ts";

interface Answer {
  readonly outcome: string;
  readonly service: string | null;
  /** `uid address:port share`, sorted. */
  readonly endpoints: readonly string[];
}

const familyOf = (address: string) => address.includes(":") ? "IPv6" : "IPv4";

/** 1: who owns the address. */
function ownerOf({ services }: Mesh, network: string, address: string): Service | undefined {
  const lastOfNamespace: Service[] = [];
  for (const one of services) {
    if (!one.vips.some((vip) => vip.network === network && vip.address === address)) continue;
    const before = lastOfNamespace.findIndex(({ namespace }) => namespace === one.namespace);
    if (before >= 0) lastOfNamespace[before] = one;
    else lastOfNamespace.push(one);
  }
  const visible = lastOfNamespace.filter(({ visibility }) => visibility === "Public");
  const byVip = visible.findLast(({ canonical }) => canonical) ?? visible[0];
  if (byVip) return byVip;
  const containing = services.filter(({ visibility }) => visibility === "Public").flatMap((service) =>
    service.ranges.filter((range) =>
      range.network === network && isIn(address, range.address, range.prefixLength)
    )
      .map(({ prefixLength }) => ({ service, prefixLength }))
  );
  const longest = Math.max(...containing.map(({ prefixLength }) => prefixLength));
  const best = containing.filter(({ prefixLength }) => prefixLength === longest).map(({ service }) =>
    service
  );
  return best.find(({ canonical }) => canonical) ?? best[0];
}

/** The ranges here end at a dot or a colon. */
function isIn(address: string, range: string, prefixLength: number): boolean {
  if (familyOf(address) !== familyOf(range)) return false;
  if (familyOf(range) === "IPv6") return address.startsWith(range);
  const parts = prefixLength / 8;
  return address.split(".").slice(0, parts).join() === range.split(".").slice(0, parts).join();
}

function valueOf(scope: Scope, { network, locality, node, clusterId }: Place): string {
  const { region, zone, subzone } = locality;
  return {
    Network: network,
    Region: region,
    Zone: zone,
    Subzone: subzone,
    Node: node,
    Cluster: clusterId,
  }[scope];
}

/** 4: count what agrees until something does not; with the network first it is passed over, or adds the list's length less one. */
function countAndRank(place: Place, wants: readonly Scope[], workload: Place): [count: number, rank: number] {
  const agrees = wants.map((scope) => valueOf(scope, place) === valueOf(scope, workload));
  const networkFirst = wants.length > 0 && wants[0] === "Network";
  const end = wants.findIndex((scope, i) => !agrees[i] && !(networkFirst && scope === "Network"));
  const count = agrees.slice(0, end < 0 ? undefined : end).filter(Boolean).length;
  return [count, networkFirst && agrees[0] ? count + wants.length - 1 : count];
}

function answerOf(mesh: Mesh, place: Place, address: string, port: number): Answer {
  const service = ownerOf(mesh, place.network, address);
  if (!service) return direct(mesh, place, address, port);
  const key = `${service.namespace}/${service.hostname}`;
  const none: Answer = { outcome: "none", service: key, endpoints: [] };
  const { mode = "Standard", healthPolicy = "OnlyHealthy", routingPreferences = [] } = service.loadBalancer ??
    {};
  if (mode === "Passthrough" || service.needsWaypoint) return { ...none, outcome: "passthrough" };
  const target = service.ports.get(port);
  if (target === undefined) return none;

  const taking = mesh.workloads.flatMap((workload) => {
    const written = service.endpoints.find(({ workloadUid }) => workloadUid === workload.uid)?.ports;
    const own = healthPolicy === "AllowAll" || workload.status === "Healthy"
      ? workload.services.get(key)
      : undefined;
    const ports = own ?? written;
    if (!ports || workload.traits.network !== place.network) return [];
    const family = familyOf(address);
    if (service.ipFamilies === "IPv4" && family === "IPv6") return [];
    const to = workload.addresses.find((one) => familyOf(one) === family);
    if (to === undefined) return [];
    if (target === 0 && !ports.has(port)) return [];
    return [{ workload, to, targetPort: ports.get(port) ?? target }];
  });
  const ranked = taking.map((one) => ({
    ...one,
    by: countAndRank(place, routingPreferences, one.workload.traits),
  }));
  const left = mode === "Strict" ? ranked.filter(({ by }) => by[0] === routingPreferences.length) : ranked;
  const highest = Math.max(...left.map(({ by }) => by[1]));
  const nearest = mode === "Standard" ? left : left.filter(({ by }) => by[1] === highest);
  // One that maps to 0 cannot be dialled: those with it share what it would have got.
  const drawn = nearest.filter(({ workload, targetPort }) => targetPort !== 0 && workload.capacity > 0);
  if (drawn.length === 0) return none;
  const total = drawn.reduce((sum, { workload }) => sum + workload.capacity, 0);
  const endpoints = drawn.map(({ workload, to, targetPort }) =>
    `${workload.uid} ${to}:${targetPort} ${(workload.capacity / total).toFixed(9)}`
  );
  return { outcome: "endpoints", service: key, endpoints: endpoints.sort() };
}

/** 7: a workload's own address. */
function direct({ workloads }: Mesh, { network }: Place, address: string, port: number): Answer {
  const all = workloads.filter((one) =>
    one.traits.network === network && one.traits.networkMode === "Standard" && one.addresses.includes(address)
  );
  const best = (some: Workload[], wins: (one: Workload) => boolean) =>
    some.some(wins) ? some.filter(wins) : some;
  const pods = best(all, ({ uid }) => uid.includes("//Pod/"));
  const found = best(pods, ({ traits }) => traits.protocol === "HBONE").at(-1);
  return found
    ? { outcome: "endpoints", service: null, endpoints: [`${found.uid} ${address}:${port} 1.000000000`] }
    : { outcome: "unknown", service: null, endpoints: [] };
}

function randomMesh(random: () => number): Mesh {
  const uids = Array.from({ length: 12 }, (_, i) => random() < 0.3 ? `c//Pod/n/w${i}` : `w${i}`);
  const services = shuffled(random, ["a/w", "a/x", "b/w", "b/x", "c/y", "c/z"]).map((key): Service => {
    const one = randomService(random, key);
    const written = one.endpoints.map((endpoint, i) => ({ ...endpoint, workloadUid: uids[i] }));
    return { ...one, endpoints: written };
  });
  const workloads = shuffled(random, uids).map((uid): Workload => {
    const one = randomWorkload(random, uid);
    const networkMode = random() < 0.1 ? "HostNetwork" : "Standard";
    const protocol = random() < 0.3 ? "HBONE" : "TCP";
    return { ...one, traits: { ...one.traits, networkMode, protocol } };
  });
  return { services, workloads, policies: [] };
}

describe("explain and the rules as they read", () => {
  it("agree on random meshes, from every workload's place, about every address", () => {
    const seen = new Map<string, number>();
    for (let seed = 1; seed <= 120; seed++) {
      const random = randomFrom(seed);
      const mesh = randomMesh(random);
      const snapshot = replaceMesh(emptySnapshot(), mesh);
      const vips = ["10.96.0.1", "10.96.0.2", "10.96.0.3", "fd96::1", "fd96::2"];
      const addresses = [
        ...[...vips, "10.97.1.1", "10.97.5.1", "10.98.0.1", "fd97::1"],
        ...mesh.workloads.slice(0, 3).flatMap((one) => one.addresses),
      ];
      for (const { traits: { network, locality, node, clusterId } } of mesh.workloads.slice(0, 5)) {
        const place = { network, locality, node, clusterId };
        for (const address of addresses) {
          for (const port of [80, 443, 9]) {
            const { workloads } = mesh;
            const said = explain({ address, port }, { snapshot, place, protocol: "TCP", workloads });
            const endpoints = said.endpoints.map(({ uid, address, port, share }) => {
              const [part, whole] = share.split("/").map(Number);
              return `${uid} ${address}:${port} ${(part / whole).toFixed(9)}`;
            });
            const actual: Answer = {
              outcome: said.outcome,
              service: said.service,
              endpoints: endpoints.sort(),
            };
            const wanted = answerOf(mesh, place, address, port);
            assert.deepEqual(
              actual,
              wanted,
              `seed ${seed}: ${address} ${port} from ${JSON.stringify(place)}`,
            );
            const kind = `${wanted.outcome}${wanted.service && said.mode === "Strict" ? " strict" : ""}`;
            seen.set(kind, (seen.get(kind) ?? 0) + 1);
          }
        }
      }
    }
    for (const kind of ["endpoints", "none", "passthrough", "unknown", "endpoints strict", "none strict"]) {
      assert.ok((seen.get(kind) ?? 0) > 100, `${kind} came up ${seen.get(kind)} times`);
    }
  });
});
