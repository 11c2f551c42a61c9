/** Listener → model. */

import type { Any } from "../proto/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { decodeAddress, decodeRange } from "./decode_address.ts";
import { routeTableOf } from "./decode_route.ts";
import {
  type FilterChainMatchMessage,
  type FilterChainMessage,
  httpConnectionManagerType,
  listenerType,
  type TcpProxyMessage,
  tcpProxyType,
} from "./messages.ts";
import type { ChainAction, ChainMatch, FilterChain, HostPort, Listener, Target } from "./model.ts";

const directions = ["", "INBOUND", "OUTBOUND"];
const tcpProxyUrl = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const httpConnectionManagerUrl =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/** @throws {ResourceError} where it makes no sense */
export function decodeListener(bytes: Uint8Array): Listener {
  const message = listenerType.decode(bytes);
  if (message.name === "") throw new ResourceError("the name is empty");
  const withoutAddress = message.internal_listener !== null || message.api_listener !== null;
  const address = message.address === null && withoutAddress
    ? undefined
    : decodeAddress(message.address, "address");
  // An address that is an internal one is known by that name alone: there is no socket.
  const socket = address === undefined || address.via !== "" ? undefined : address;
  const { default_filter_chain: defaultChain } = message;
  return {
    name: message.name,
    address: socket && hostPortOf(socket),
    additional: message.additional_addresses.map(({ address }) =>
      hostPortOf(decodeAddress(address, "an additional address"))
    ),
    protocol: socket?.protocol ?? "",
    useOriginalDst: message.use_original_dst?.value,
    bindToPort: message.bind_to_port?.value,
    direction: directions[message.traffic_direction] ?? String(message.traffic_direction),
    chains: message.filter_chains.map(chainOf),
    defaultChain: defaultChain === null ? undefined : chainOf(defaultChain),
    matcher: message.filter_chain_matcher !== null,
  };
}

function hostPortOf({ host, port }: HostPort): HostPort {
  return { host, port };
}

function chainOf(message: FilterChainMessage): FilterChain {
  return {
    name: message.name,
    match: matchOf(message.filter_chain_match),
    before: message.filters.slice(0, -1).map(({ name }) => name),
    endsTls: message.transport_socket !== null,
    action: actionOf(message),
  };
}

const anything: ChainMatch = {
  destinationPort: 0,
  prefixRanges: [],
  serverNames: [],
  transportProtocol: "",
  applicationProtocols: [],
  source: [],
};

function matchOf(message: FilterChainMatchMessage | null): ChainMatch {
  if (message === null) return anything;
  return {
    destinationPort: message.destination_port?.value ?? 0,
    prefixRanges: message.prefix_ranges.map(decodeRange),
    serverNames: message.server_names,
    transportProtocol: message.transport_protocol,
    applicationProtocols: message.application_protocols,
    source: [
      ...message.source_prefix_ranges.map(decodeRange),
      ...message.direct_source_prefix_ranges.map(decodeRange),
      ...message.source_ports.map((port) => `port ${port}`),
      ...message.source_type === 0 ? [] : [`type ${message.source_type}`],
    ],
  };
}

/** What the chain's last filter does: that is the one that ends the connection. */
function actionOf({ filters }: FilterChainMessage): ChainAction {
  const last = filters.at(-1);
  if (last === undefined) return { kind: "other", what: "no filters" };
  const config = last.typed_config;
  if (config?.type_url === tcpProxyUrl) return tcpActionOf(tcpProxyType.decode(config.value));
  if (config?.type_url === httpConnectionManagerUrl) return httpActionOf(config);
  return { kind: "other", what: `filter ${last.name}` };
}

function tcpActionOf(message: TcpProxyMessage): ChainAction {
  const [policy] = message.hash_policy;
  const hash = policy?.source_ip ? "sourceIp" : policy?.filter_state ? "filterState" : "";
  const tunnel = message.tunneling_config !== null;
  const hashes = hash === "filterState" ? ["filter_state"] : [];
  return { kind: "tcp", target: { ...tcpTargetOf(message), hashes }, hash, tunnel };
}

function tcpTargetOf({ cluster, weighted_clusters }: TcpProxyMessage): Omit<Target, "hashes"> {
  if (weighted_clusters === null) {
    if (cluster === "") throw new ResourceError("a TCP proxy names no cluster");
    return { weighted: false, clusters: [{ name: cluster, weight: 1 }] };
  }
  const { clusters } = weighted_clusters;
  if (clusters.length === 0 || clusters.some(({ name, weight }) => name === "" || weight === 0)) {
    throw new ResourceError("a TCP proxy's weighted clusters need a name and a weight above 0 each");
  }
  return { weighted: true, clusters: clusters.map(({ name, weight }) => ({ name, weight })) };
}

function httpActionOf({ value }: Any): ChainAction {
  const { rds, route_config, scoped_routes } = httpConnectionManagerType.decode(value);
  if (route_config !== null) return { kind: "inline", routes: routeTableOf(route_config) };
  if (rds !== null) {
    if (rds.route_config_name === "") {
      throw new ResourceError("an HTTP connection manager asks for routes without a name");
    }
    return { kind: "rds", route: rds.route_config_name };
  }
  if (scoped_routes !== null) return { kind: "other", what: "scoped routes" };
  throw new ResourceError("an HTTP connection manager has no routes");
}
