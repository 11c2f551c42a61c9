/** Services that rank their endpoints, and where these are. */

import type { LoadBalancer, Locality, Mesh } from "../src/mesh/mod.ts";
import { placeOn } from "../src/locality/mod.ts";
import { movedTo } from "./mesh.ts";

export const nearFirst: LoadBalancer = {
  routingPreferences: ["Region", "Zone"],
  mode: "Failover",
  healthPolicy: "OnlyHealthy",
};

export const zones: readonly Locality[] = ["a", "b", "c"].map((zone) => ({ region: "r", zone, subzone: "" }));

/** In the first zone. */
export const nearPlace = { ...placeOn(""), locality: zones[0] };

/** The mesh, with every service ranked. @param zoneOf by the workload's number */
export function ranked(mesh: Mesh, zoneOf: (workload: number) => Locality): Mesh {
  return {
    ...mesh,
    services: mesh.services.map((service) => ({ ...service, loadBalancer: nearFirst })),
    workloads: mesh.workloads.map((workload, i) => movedTo(workload, { locality: zoneOf(i) })),
  };
}
