/** From a document that follows the schema to the mesh. */

import {
  createTraitsSharing,
  type Mesh,
  type Policy,
  type Service,
  type Workload,
  type WorkloadTraits,
} from "../mesh/mod.ts";
import type { MeshDocument } from "./mesh_schema.ts";

type DocumentWorkload = MeshDocument["workloads"][number];
type DocumentService = MeshDocument["services"][number];
type DocumentPolicy = MeshDocument["policies"][number];

const nowhere = { region: "", zone: "", subzone: "" } as const;

/** The mesh that a document describes. What weft has no use for is left behind. */
export function meshOf(document: MeshDocument): Mesh {
  const share = createTraitsSharing();
  return {
    workloads: document.workloads.map((workload) => workloadOf(workload, share)),
    services: document.services.map(serviceOf),
    policies: document.policies.map(policyOf),
  };
}

function workloadOf(
  workload: DocumentWorkload,
  share: (traits: WorkloadTraits) => WorkloadTraits,
): Workload {
  return {
    uid: workload.uid,
    addresses: workload.workloadIps,
    status: workload.status,
    capacity: workload.capacity,
    services: workload.services,
    traits: share({
      namespace: workload.namespace,
      network: workload.network,
      node: workload.node,
      clusterId: workload.clusterId,
      locality: workload.locality ?? nowhere,
      waypoint: workload.waypoint,
      networkGateway: workload.networkGateway,
      protocol: workload.protocol,
      networkMode: workload.networkMode,
      authorizationPolicies: workload.authorizationPolicies,
    }),
  };
}

function serviceOf(service: DocumentService): Service {
  return {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    vips: service.vips,
    ranges: service.cidrVips.map(({ network, cidr }) => ({ network, ...cidr })),
    ports: service.ports,
    loadBalancer: service.loadBalancer,
    ipFamilies: service.ipFamilies,
    canonical: service.canonical,
    visibility: service.visibility,
    needsWaypoint: service.waypoint !== null || service.weightedWaypoints.length > 0,
    assigned: null,
    outlierDetection: service.outlierDetection === "On",
    endpoints: [...service.endpoints.values()].map(({ workloadUid, port }) => ({ workloadUid, ports: port })),
  };
}

function policyOf({ name, namespace, scope, action, dryRun }: DocumentPolicy): Policy {
  return { name, namespace, scope, action, dryRun };
}
