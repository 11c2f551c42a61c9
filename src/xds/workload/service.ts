/** From a Service of the workload API to the mesh's. */

import {
  type LoadBalancer,
  type NetworkAddress,
  type NetworkRange,
  type Scope,
  type Service,
  serviceKey,
} from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { ipText, rangeOf } from "./ip.ts";
import { hasLength, type ServiceMessage } from "./messages.ts";
import { portMapOf } from "./ports.ts";

/** The API's enums as the mesh has them, by number. */
const scopes: readonly (Scope | undefined)[] = [
  undefined,
  "Region",
  "Zone",
  "Subzone",
  "Node",
  "Cluster",
  "Network",
];
const modes: readonly LoadBalancer["mode"][] = ["Standard", "Strict", "Failover", "Passthrough"];
const families: readonly Service["ipFamilies"][] = [null, "IPv4", "IPv6", "Dual"];
const allowAll = 1;
const visibleInNamespace = 1;

/**
 * @param name the resource's
 * @throws {ResourceError} where the message makes no sense
 */
export function serviceOf(name: string, message: ServiceMessage): Service {
  if (serviceKey(message) !== name) {
    throw new ResourceError(`it is ${serviceKey(message)}, expected the resource's name`);
  }
  const vips: NetworkAddress[] = [];
  const ranges: NetworkRange[] = [];
  for (const address of message.addresses) {
    const { network, address: bytes, length } = address;
    if (!hasLength(address) || length === bytes.length * 8) vips.push({ network, address: ipText(bytes) });
    else ranges.push({ network, ...rangeOf(bytes, length) });
  }
  return {
    name: message.name,
    namespace: message.namespace,
    hostname: message.hostname,
    vips,
    ranges,
    ports: portMapOf(message.ports),
    loadBalancer: message.load_balancing && loadBalancerOf(message.load_balancing),
    ipFamilies: families[message.ip_families] ?? null,
    canonical: message.canonical,
    visibility: message.visibility === visibleInNamespace ? "Namespace" : "Public",
    needsWaypoint: message.waypoint !== null || message.weighted_waypoints.length > 0,
    outlierDetection: true,
    assigned: null,
    endpoints: [],
  };
}

/** What is not known of it is left out; `unknownWords` says so. */
function loadBalancerOf(message: NonNullable<ServiceMessage["load_balancing"]>): LoadBalancer {
  return {
    routingPreferences: message.routing_preference.flatMap((scope) => scopes[scope] ?? []),
    mode: modes[message.mode] ?? "Standard",
    healthPolicy: message.health_policy === allowAll ? "AllowAll" : "OnlyHealthy",
  };
}

/** What a newer control plane asks of the balancing of a service that this weft does not know; "" where it knows all. */
export function unknownWords({ load_balancing }: ServiceMessage): string {
  if (load_balancing === null) return "";
  const { routing_preference, mode, health_policy } = load_balancing;
  const unknown = [
    ...routing_preference.filter((scope) => scopes[scope] === undefined).map((scope) => `scope ${scope}`),
    ...mode in modes ? [] : [`mode ${mode}`],
    ...health_policy > allowAll ? [`health policy ${health_policy}`] : [],
  ];
  return unknown.join(", ");
}
