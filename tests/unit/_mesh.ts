/** Values of the mesh model for tests: everything that a test does not say has the default of a mesh file. */

import {
  noTraits,
  type Policy,
  type Service,
  type ServiceKey,
  type Workload,
  type WorkloadTraits,
} from "../../src/mesh/mod.ts";

/** What a test says of a workload, its traits among the rest. */
export type WorkloadChange = Partial<Omit<Workload, "uid" | "traits"> & WorkloadTraits>;

/** A healthy workload with the address 10.0.0.1, a member of these services without port mappings of its own. */
export function workload(
  uid: string,
  services: readonly ServiceKey[],
  { addresses, status, capacity, services: mapped, ...traits }: WorkloadChange = {},
): Workload {
  return {
    uid,
    addresses: addresses ?? ["10.0.0.1"],
    status: status ?? "Healthy",
    capacity: capacity ?? 1,
    services: mapped ?? new Map(services.map((key) => [key, new Map()])),
    traits: {
      ...noTraits,
      namespace: "shop",
      ...traits,
    },
  };
}

/** A public service with the port 80 → 8080 and these VIPs on the default network. */
export function service(key: ServiceKey, vips: readonly string[], change: Partial<Service> = {}): Service {
  const [namespace, hostname] = key.split("/");
  return {
    name: hostname,
    namespace,
    hostname,
    vips: vips.map((address) => ({ network: "", address })),
    ranges: [],
    ports: new Map([[80, 8080]]),
    loadBalancer: null,
    ipFamilies: null,
    canonical: false,
    visibility: "Public",
    needsWaypoint: false,
    assigned: null,
    outlierDetection: true,
    endpoints: [],
    ...change,
  };
}

/** A policy of the namespace shop. */
export function policy(name: string, change: Partial<Policy> = {}): Policy {
  return { name, namespace: "shop", scope: "Namespace", action: "Deny", dryRun: false, ...change };
}
