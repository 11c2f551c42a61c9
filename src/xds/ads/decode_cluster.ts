/** Cluster → model. */

import type { Family } from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { assignmentOf } from "./decode_assignment.ts";
import { choiceOf } from "./decode_choice.ts";
import { clusterType } from "./messages.ts";
import type { Cluster } from "./model.ts";
import { unhonouredOfCluster } from "./unhonoured_settings.ts";

const types = ["STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"] as const;
const lbPolicies: Readonly<Record<number, string>> = {
  0: "ROUND_ROBIN",
  1: "LEAST_REQUEST",
  2: "RING_HASH",
  3: "RANDOM",
  5: "MAGLEV",
  6: "CLUSTER_PROVIDED",
  7: "LOAD_BALANCING_POLICY_CONFIG",
};
/** DnsLookupFamily: V4_ONLY, V6_ONLY; what prefers one is content with the other. */
const lookupFamilies: Readonly<Record<number, Family>> = { 1: 4, 2: 6 };
/** RoutingPriority: TCP connections are of the default priority. */
const defaultPriority = 0;

/** @throws {ResourceError} where it makes no sense */
export function decodeCluster(bytes: Uint8Array): Cluster {
  const message = clusterType.decode(bytes);
  const { name } = message;
  if (name === "") throw new ResourceError("the name is empty");
  const type = message.cluster_type?.name || (types[message.type] ?? String(message.type));
  const thresholds = message.circuit_breakers?.thresholds ?? [];
  const lbPolicy = lbPolicies[message.lb_policy] ?? String(message.lb_policy);
  const chosen = choiceOf(message, lbPolicy);
  return {
    name,
    type,
    lbPolicy,
    ...chosen,
    unhonoured: [...chosen.unhonoured, ...unhonouredOfCluster(message)],
    maxConnections: thresholds.find(({ priority }) => priority === defaultPriority)?.max_connections?.value,
    edsName: type === "EDS" ? message.eds_cluster_config?.service_name || name : "",
    assignment: message.load_assignment === null ? undefined : assignmentOf(message.load_assignment),
    lookupFamily: lookupFamilies[message.dns_lookup_family],
    panicThreshold: message.common_lb_config?.healthy_panic_threshold?.value,
    transport: wrapping(message.transport_socket),
    transportMatches: message.transport_socket_matches.filter((match) =>
      wrapping(match.transport_socket) !== ""
    )
      .map(({ name }) => name),
  };
}

/** What istiod writes for the endpoints of a cluster that are not to be wrapped. */
const inTheClear = "envoy.transport_sockets.raw_buffer";

function wrapping(socket: { readonly name: string } | null): string {
  return socket === null || socket.name === inTheClear ? "" : socket.name;
}
