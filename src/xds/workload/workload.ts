/** From a Workload of the workload API to the mesh's. */

import type { PortMap, ServiceKey, Workload } from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { gatewayOf } from "./gateway.ts";
import { ipText } from "./ip.ts";
import type { WorkloadMessage } from "./messages.ts";
import { portMapOf } from "./ports.ts";
import type { SharedValues } from "./shared_values.ts";

/** Of the enums those values that mean something to weft; all others are as if not set, but for the status. */
const healthy = 0;
const hbone = 1;
const hostNetwork = 1;

/**
 * @param name the resource's
 * @throws {ResourceError} where the message makes no sense
 */
export function workloadOf(name: string, message: WorkloadMessage, shared: SharedValues): Workload {
  if (message.uid !== name) {
    throw new ResourceError(`its uid is "${message.uid}", expected the resource's name`);
  }
  const { region, zone, subzone } = message.locality ?? { region: "", zone: "", subzone: "" };
  const { waypoint, network_gateway } = message;
  return {
    uid: name,
    name: shared.text(message.name),
    namespace: shared.text(message.namespace),
    addresses: message.addresses.map(ipText),
    network: shared.text(message.network),
    node: shared.text(message.node),
    clusterId: shared.text(message.cluster_id),
    locality: shared.locality(region, zone, subzone),
    // What a newer control plane may say besides is not known to be good.
    status: message.status === healthy ? "Healthy" : "Unhealthy",
    capacity: message.capacity?.value ?? 1,
    hostname: message.hostname,
    waypoint: waypoint && gatewayOf(waypoint),
    networkGateway: network_gateway && gatewayOf(network_gateway),
    protocol: message.tunnel_protocol === hbone ? "HBONE" : "TCP",
    networkMode: message.network_mode === hostNetwork ? "HostNetwork" : "Standard",
    services: shared.services(membershipsOf(message, shared)),
    authorizationPolicies: message.authorization_policies,
  };
}

function membershipsOf({ services }: WorkloadMessage, shared: SharedValues): Map<ServiceKey, PortMap> {
  const memberships = new Map<ServiceKey, PortMap>();
  for (const key of Object.keys(services)) {
    if (!key.includes("/")) {
      throw new ResourceError(`it is a member of "${key}", expected namespace/hostname`);
    }
    memberships.set(shared.text(key), portMapOf(services[key].ports));
  }
  return memberships;
}
