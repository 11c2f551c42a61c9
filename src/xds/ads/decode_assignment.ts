/** ClusterLoadAssignment → model. */

import { parseAddress } from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { decodeAddress } from "./decode_address.ts";
import { type AssignmentMessage, assignmentType, type EndpointMessage } from "./messages.ts";
import { unhonouredOfAssignment } from "./unhonoured_settings.ts";
import type { Assignment, Health, HostPort, LbEndpoint, LocalityEndpoints } from "./model.ts";

const healths: readonly Health[] = ["UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED"];
const maxPriority = 128;
const maxWeight = 0xffff_ffff;
/** Envoy's own default. */
const defaultOverprovisioning = 140;
const none: readonly HostPort[] = [];

/**
 * @param bytes a resource of EDS: its endpoints have addresses, not names
 * @throws {ResourceError} where it makes no sense
 */
export function decodeAssignment(bytes: Uint8Array): Assignment {
  const assignment = assignmentOf(assignmentType.decode(bytes));
  if (assignment.name === "") throw new ResourceError("cluster_name is empty");
  for (const { endpoints } of assignment.localities) {
    for (const { host, port } of endpoints.flatMap((endpoint) => [endpoint, ...endpoint.additional])) {
      if (parseAddress(host) === undefined && !isElsewhere(host, port)) {
        throw new ResourceError(`endpoint ${JSON.stringify(host)} is not an IP address`);
      }
    }
  }
  return assignment;
}

/** A UNIX socket, or an endpoint id that is not `address:port`: no address, and no mistake either. */
function isElsewhere(host: string, port: number): boolean {
  return port === 0 && host !== "";
}

/** @throws {ResourceError} where it makes no sense */
export function assignmentOf(message: AssignmentMessage): Assignment {
  const localities = message.endpoints.map((one): LocalityEndpoints => {
    const { region = "", zone = "", sub_zone = "" } = one.locality ?? {};
    if (one.priority > maxPriority) {
      throw new ResourceError(`priority ${one.priority} is above ${maxPriority}`);
    }
    if (one.load_balancing_weight?.value === 0) {
      throw new ResourceError(`the weight of locality ${region}/${zone}/${sub_zone} is 0`);
    }
    return {
      locality: `${region}/${zone}/${sub_zone}`,
      priority: one.priority,
      weight: one.load_balancing_weight?.value ?? 0,
      endpoints: one.lb_endpoints.map(endpointOf),
    };
  });
  if (message.policy?.overprovisioning_factor?.value === 0) {
    throw new ResourceError("overprovisioning_factor is 0, expected more");
  }
  const sums = new Map<number, number>();
  for (const { priority, weight } of localities) {
    const sum = (sums.get(priority) ?? 0) + weight;
    if (sum > maxWeight) {
      throw new ResourceError(
        `the weights of the localities of priority ${priority} add up to more than ${maxWeight}`,
      );
    }
    sums.set(priority, sum);
  }
  return {
    name: message.cluster_name,
    localities,
    overprovisioning: message.policy?.overprovisioning_factor?.value ?? defaultOverprovisioning,
    unhonoured: unhonouredOfAssignment(message),
  };
}

function endpointOf({ endpoint, health_status, load_balancing_weight }: EndpointMessage): LbEndpoint {
  const { host, port, via } = decodeAddress(endpoint?.address ?? null, "an endpoint");
  if (load_balancing_weight?.value === 0) throw new ResourceError(`the weight of endpoint ${host} is 0`);
  const additional = endpoint?.additional_addresses ?? [];
  return {
    host,
    port,
    via,
    health: healths[health_status] ?? `${health_status}`,
    weight: load_balancing_weight?.value ?? 1,
    additional: additional.length === 0 ? none : additional.map(({ address }) => {
      const { host, port } = decodeAddress(address, "an additional address");
      return { host, port };
    }),
  };
}
