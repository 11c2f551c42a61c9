/** Meshes made up for measuring: services with one port, each with endpoints of its own. */

import { type Mesh, noTraits, type Service, type Workload, type WorkloadTraits } from "../src/mesh/mod.ts";

/** The port that applications connect to. */
export const servicePort = 80;

/** Where all endpoints listen; IPv6 ones share one address and count up from here. */
export const targetPort = 8080;

/** The service that has IPv6 addresses. */
export const ipv6Vip = "fd00:10:96::1";

/** Its endpoints are [::1] with as many ports from `targetPort` on. */
export const ipv6Endpoints = 4;

/** 10.96.0.1, 10.96.0.2, … */
export function vipOf(service: number): string {
  const n = service + 1;
  return `10.${96 + (n >> 16)}.${n >> 8 & 255}.${n & 255}`;
}

/** 127.1.0.0, 127.1.0.1, …: the loopback answers for all of 127.0.0.0/8. */
export function addressOf(workload: number): string {
  return `127.${1 + (workload >> 16)}.${workload >> 8 & 255}.${workload & 255}`;
}

const traits: WorkloadTraits = { ...noTraits, namespace: "bench" };

function workload(uid: string, address: string, service: string, port: number): Workload {
  return {
    uid,
    addresses: [address],
    status: "Healthy",
    capacity: 1,
    services: new Map([[`bench/${service}`, new Map([[servicePort, port]])]]),
    traits,
  };
}

function service(name: string, vip: string): Service {
  return {
    name,
    namespace: "bench",
    hostname: name,
    vips: [{ network: "", address: vip }],
    ranges: [],
    ports: new Map([[servicePort, targetPort]]),
    loadBalancer: null,
    ipFamilies: null,
    canonical: false,
    visibility: "Public",
    needsWaypoint: false,
    assigned: null,
    outlierDetection: true,
    endpoints: [],
  };
}

/** Workload `n` of the whole mesh; service `s` has `endpoints` of them, from `s * endpoints` on. */
export function benchWorkload(n: number, endpoints: number): Workload {
  return workload(`w${n}`, addressOf(n), `s${Math.floor(n / endpoints)}`, targetPort);
}

/** The same workload in another place. */
export function movedTo(workload: Workload, place: Partial<WorkloadTraits>): Workload {
  return { ...workload, traits: { ...workload.traits, ...place } };
}

/** `services` services of `endpoints` endpoints each, all IPv4. */
export function benchMesh(services: number, endpoints: number): Mesh {
  return {
    services: Array.from({ length: services }, (_, s) => service(`s${s}`, vipOf(s))),
    workloads: Array.from({ length: services * endpoints }, (_, n) => benchWorkload(n, endpoints)),
    policies: [],
  };
}

/** The same with one service more, which has IPv6 addresses. */
export function withIpv6Service(mesh: Mesh): Mesh {
  const workloads = Array.from(
    { length: ipv6Endpoints },
    (_, i) => workload(`v6-${i}`, "::1", "v6", targetPort + i),
  );
  return {
    ...mesh,
    services: [...mesh.services, service("v6", ipv6Vip)],
    workloads: [...mesh.workloads, ...workloads],
  };
}
