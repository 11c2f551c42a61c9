/** The mesh that the probes connect through: two services on addresses that documentation owns, so that no mesh has them. */

import type { DesiredService } from "../dataplane/mod.ts";
import { compileService } from "../dataplane/mod.ts";
import { placeOn } from "../locality/mod.ts";
import {
  emptySnapshot,
  noTraits,
  replaceMesh,
  type Service,
  type ServiceKey,
  serviceKey,
  type Workload,
} from "../mesh/mod.ts";

/** Both families of one thing. */
export interface Pair {
  readonly 4: string;
  readonly 6: string;
}

/** Of the service that has an endpoint. */
export const vip: Pair = { 4: "192.0.2.241", 6: "2001:db8::d0c:1" };

/** Of the service whose only endpoint is unhealthy. */
export const emptyVip: Pair = { 4: "192.0.2.242", 6: "2001:db8::d0c:2" };

/** Where the endpoint listens. */
export const backend: Pair = { 4: "127.0.0.1", 6: "::1" };

export const servicePort = 80;
export const targetPort = 8080;
/** Of no service. */
export const unlistedPort = 81;
/** Of the service that has an endpoint, which does not listen there. */
export const closedPort = 82;

function service(hostname: string, vips: Pair): Service {
  return {
    name: hostname,
    namespace: "weft-doctor",
    hostname,
    vips: [{ network: "", address: vips[4] }, { network: "", address: vips[6] }],
    ranges: [],
    ports: new Map([[servicePort, targetPort], [closedPort, targetPort + 1]]),
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

function workload(uid: string, status: Workload["status"], member: ServiceKey): Workload {
  return {
    uid,
    addresses: [backend[4], backend[6]],
    status,
    capacity: 1,
    services: new Map([[member, new Map()]]),
    traits: {
      ...noTraits,
      namespace: "weft-doctor",
    },
  };
}

/** What the kernel is to hold for it. */
export function probeMesh(): (readonly [ServiceKey, DesiredService])[] {
  const services = [service("echo", vip), service("empty", emptyVip)];
  const [echo, empty] = services.map(serviceKey);
  const snapshot = replaceMesh(emptySnapshot(), {
    services,
    workloads: [workload("healthy", "Healthy", echo), workload("unhealthy", "Unhealthy", empty)],
    policies: [],
  });
  return [echo, empty].map((key) => [key, compileService(snapshot, key, placeOn(""))] as const);
}
