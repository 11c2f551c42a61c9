/** Resources of mode ads for tests. */

import {
  type AddressMessage,
  assignmentType,
  type ClusterMessage,
  clusterType,
  type FilterChainMatchMessage,
  type FilterChainMessage,
  type HttpConnectionManagerMessage,
  httpConnectionManagerType,
  type ListenerMessage,
  listenerType,
  type LocalityMessage,
  type RouteConfigurationMessage,
  routeConfigurationType,
  type RouteMessage,
  type TcpProxyMessage,
  tcpProxyType,
} from "../../src/xds/ads/messages.ts";
import type { Any, MessageType } from "../../src/xds/proto/mod.ts";

/** The four types by their short names. */
export const urls = {
  cds: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  eds: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  lds: "type.googleapis.com/envoy.config.listener.v3.Listener",
  rds: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
} as const;

export type ShortType = keyof typeof urls;

/** What is nested may be told in part too. */
export type Parts<T> = T extends readonly (infer Item)[] ? readonly Parts<Item>[]
  : T extends Uint8Array | string | number | boolean | null | undefined ? T
  : { readonly [Key in keyof T]?: Parts<T[Key]> };

export function encode<T extends object>(type: MessageType<T>, message: Parts<T>): Uint8Array {
  return type.encode(message as unknown as Partial<T>);
}

/** A cluster of type EDS. */
export function cluster(name: string, message: Parts<ClusterMessage> = {}): Any {
  return { type_url: urls.cds, value: encode(clusterType, { name, type: 3, ...message }) };
}

/** `address:port`, with a weight or a health status if need be. */
export interface EndpointText {
  readonly at: string;
  readonly weight?: number;
  readonly health?: number;
  readonly also?: readonly string[];
}

/** One locality with these endpoints. */
export function locality(
  endpoints: readonly (string | EndpointText)[],
  message: Parts<LocalityMessage> = {},
): Parts<LocalityMessage> {
  return {
    lb_endpoints: endpoints.map((endpoint) => {
      const { at, weight, health = 0, also = [] } = typeof endpoint === "string"
        ? { at: endpoint }
        : endpoint;
      return {
        endpoint: {
          address: socket(at),
          additional_addresses: also.map((other) => ({ address: socket(other) })),
        },
        health_status: health,
        load_balancing_weight: weight === undefined ? null : { value: weight },
      };
    }),
    ...message,
  };
}

/** An assignment; an endpoint stands for a locality with nothing else. */
export function assignment(
  cluster_name: string,
  ...localities: readonly (string | Parts<LocalityMessage>)[]
): Any {
  const endpoints = localities.map((one) => typeof one === "string" ? locality([one]) : one);
  return {
    type_url: urls.eds,
    value: encode(assignmentType, { cluster_name, endpoints }),
  };
}

/** A listener on `address:port` with these filter chains. */
export function listener(
  name: string,
  at: string,
  chains: readonly Parts<FilterChainMessage>[],
  message: Parts<ListenerMessage> = {},
): Any {
  const value = encode(listenerType, { name, address: socket(at), filter_chains: chains, ...message });
  return { type_url: urls.lds, value };
}

/** A filter chain with a TCP proxy. */
export function tcp(
  cluster: string | Parts<TcpProxyMessage>,
  match: Parts<FilterChainMatchMessage> | null = null,
): Parts<FilterChainMessage> {
  const value = encode(tcpProxyType, typeof cluster === "string" ? { cluster } : cluster);
  const type_url = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
  return { filter_chain_match: match, filters: [{ name: "tcp", typed_config: { type_url, value } }] };
}

/** A filter chain for HTTP, with the name of its routes. */
export function http(
  routes: string | Parts<HttpConnectionManagerMessage>,
  match: Parts<FilterChainMatchMessage> | null = null,
): Parts<FilterChainMessage> {
  const message = typeof routes === "string" ? { rds: { route_config_name: routes } } : routes;
  const value = encode(httpConnectionManagerType, message);
  const type_url =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
  return { filter_chain_match: match, filters: [{ name: "http", typed_config: { type_url, value } }] };
}

/** Virtual hosts: domains → the cluster of its catch-all, or its routes. */
export type Hosts = Readonly<Record<string, string | readonly Parts<RouteMessage>[]>>;

/** Routes whose virtual hosts are named by their first domain; a key may hold several domains, by spaces. */
export function routes(name: string, hosts: Hosts): Any {
  return { type_url: urls.rds, value: encode(routeConfigurationType, routeConfiguration(name, hosts)) };
}

export function routeConfiguration(name: string, hosts: Hosts): Parts<RouteConfigurationMessage> {
  const virtual_hosts = Object.entries(hosts).map(([domains, routes]) => ({
    name: domains.split(" ")[0],
    domains: domains.split(" "),
    routes: typeof routes === "string" ? [catchAll(routes)] : routes,
  }));
  return { name, virtual_hosts };
}

export function catchAll(cluster: string): Parts<RouteMessage> {
  return { match: { prefix: "/" }, route: { cluster } };
}

/** `address:port`, IPv6 in brackets. */
export function socket(text: string): Parts<AddressMessage> {
  const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(text)!;
  return { socket_address: { address, port_value: Number(port) } };
}
