/** The messages of the resources that mode ads asks for. */

import address from "../proto/address.proto" with { type: "text" };
import cluster from "../proto/cluster.proto" with { type: "text" };
import endpoint from "../proto/endpoint.proto" with { type: "text" };
import listener from "../proto/listener.proto" with { type: "text" };
import route from "../proto/route.proto" with { type: "text" };
import { type Any, createSchema } from "../proto/mod.ts";

/** A message of which only its presence matters. */
type Present = Record<never, never> | null;

/** A wrapped scalar: absent is not the same as 0 or false. */
interface Wrapped<T> {
  readonly value: T;
}

/** A wrapped uint64: its text is the number. */
interface WrappedLong {
  readonly value: { toString(): string };
}

export interface AddressMessage {
  readonly socket_address: {
    readonly protocol: number;
    readonly address: string;
    readonly port_value: number;
    readonly named_port: string;
  } | null;
  readonly pipe: { readonly path: string } | null;
  readonly envoy_internal_address: {
    readonly server_listener_name: string;
    readonly endpoint_id: string;
  } | null;
}

export interface CidrRangeMessage {
  readonly address_prefix: string;
  readonly prefix_len: Wrapped<number> | null;
}

export interface ClusterMessage {
  readonly name: string;
  readonly type: number;
  readonly cluster_type: { readonly name: string } | null;
  readonly eds_cluster_config: { readonly service_name: string } | null;
  readonly lb_policy: number;
  readonly load_assignment: AssignmentMessage | null;
  readonly dns_lookup_family: number;
  readonly circuit_breakers: {
    readonly thresholds: readonly ThresholdsMessage[];
    readonly per_host_thresholds: readonly ThresholdsMessage[];
  } | null;
  readonly common_lb_config: {
    readonly healthy_panic_threshold: Wrapped<number> | null;
    readonly zone_aware_lb_config: Present;
    readonly locality_weighted_lb_config: Present;
    readonly consistent_hashing_lb_config: ConsistentHashingMessage | null;
  } | null;
  readonly health_checks: readonly Present[];
  readonly outlier_detection: Present;
  readonly upstream_bind_config: Present;
  readonly lb_subset_config: { readonly subset_selectors: readonly Present[] } | null;
  readonly transport_socket: { readonly name: string } | null;
  readonly transport_socket_matches: readonly {
    readonly name: string;
    readonly transport_socket: { readonly name: string } | null;
  }[];
  readonly ring_hash_lb_config: Sizes<RingHashMessage> | null;
  readonly maglev_lb_config: Sizes<MaglevMessage> | null;
  readonly least_request_lb_config:
    | Omit<LeastRequestMessage, "locality_lb_config" | "selection_method">
    | null;
  readonly round_robin_lb_config: { readonly slow_start_config: Present } | null;
  readonly load_balancing_policy: {
    readonly policies: readonly {
      readonly typed_extension_config: { readonly typed_config: Any | null } | null;
    }[];
  } | null;
}

export interface ThresholdsMessage {
  readonly priority: number;
  readonly max_connections: Wrapped<number> | null;
  readonly max_pending_requests: Wrapped<number> | null;
}

export interface ConsistentHashingMessage {
  readonly use_hostname_for_hashing: boolean;
  readonly hash_balance_factor: Wrapped<number> | null;
  readonly hash_policy: readonly HashPolicyMessage[];
}

interface LocalityLbMessage {
  readonly zone_aware_lb_config: Present;
  readonly locality_weighted_lb_config: Present;
}

export interface RingHashMessage extends Omit<ConsistentHashingMessage, "hash_policy"> {
  readonly minimum_ring_size: WrappedLong | null;
  readonly maximum_ring_size: WrappedLong | null;
  readonly consistent_hashing_lb_config: ConsistentHashingMessage | null;
  readonly locality_weighted_lb_config: Present;
}

export interface MaglevMessage {
  readonly table_size: WrappedLong | null;
  readonly consistent_hashing_lb_config: ConsistentHashingMessage | null;
  readonly locality_weighted_lb_config: Present;
}

/** What lb_policy's own config of a cluster has of an extension's. */
type Sizes<T> = Pick<T, Extract<keyof T, `${string}_size`>>;

export interface LeastRequestMessage {
  readonly choice_count: Wrapped<number> | null;
  readonly active_request_bias: Present;
  readonly slow_start_config: Present;
  readonly locality_lb_config: LocalityLbMessage | null;
  readonly selection_method: number;
}

export interface RoundRobinMessage {
  readonly slow_start_config: Present;
  readonly locality_lb_config: LocalityLbMessage | null;
}

export interface RandomMessage {
  readonly locality_lb_config: LocalityLbMessage | null;
}

export interface AssignmentMessage {
  readonly cluster_name: string;
  readonly endpoints: readonly LocalityMessage[];
  readonly policy: {
    readonly drop_overloads: readonly Present[];
    readonly overprovisioning_factor: Wrapped<number> | null;
    readonly endpoint_stale_after: Present;
  } | null;
}

export interface LocalityMessage {
  readonly locality: {
    readonly region: string;
    readonly zone: string;
    readonly sub_zone: string;
  } | null;
  readonly lb_endpoints: readonly EndpointMessage[];
  readonly load_balancing_weight: Wrapped<number> | null;
  readonly priority: number;
  readonly leds_cluster_locality_config: Present;
}

export interface EndpointMessage {
  readonly endpoint: {
    readonly address: AddressMessage | null;
    readonly additional_addresses: readonly { readonly address: AddressMessage | null }[];
  } | null;
  readonly health_status: number;
  readonly load_balancing_weight: Wrapped<number> | null;
}

export interface ListenerMessage {
  readonly name: string;
  readonly address: AddressMessage | null;
  readonly additional_addresses: readonly { readonly address: AddressMessage | null }[];
  readonly filter_chains: readonly FilterChainMessage[];
  readonly default_filter_chain: FilterChainMessage | null;
  readonly filter_chain_matcher: Present;
  readonly use_original_dst: Wrapped<boolean> | null;
  readonly bind_to_port: Wrapped<boolean> | null;
  readonly traffic_direction: number;
  readonly internal_listener: Present;
  readonly api_listener: Present;
}

export interface FilterChainMessage {
  readonly name: string;
  readonly filter_chain_match: FilterChainMatchMessage | null;
  readonly filters: readonly { readonly name: string; readonly typed_config: Any | null }[];
  readonly transport_socket: Present;
}

export interface FilterChainMatchMessage {
  readonly destination_port: Wrapped<number> | null;
  readonly prefix_ranges: readonly CidrRangeMessage[];
  readonly server_names: readonly string[];
  readonly transport_protocol: string;
  readonly application_protocols: readonly string[];
  readonly source_type: number;
  readonly source_prefix_ranges: readonly CidrRangeMessage[];
  readonly direct_source_prefix_ranges: readonly CidrRangeMessage[];
  readonly source_ports: readonly number[];
}

export interface TcpProxyMessage {
  readonly cluster: string;
  readonly weighted_clusters: {
    readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  } | null;
  readonly hash_policy: readonly { readonly source_ip: Present; readonly filter_state: Present }[];
  readonly tunneling_config: Present;
}

export interface HttpConnectionManagerMessage {
  readonly rds: { readonly route_config_name: string } | null;
  readonly route_config: RouteConfigurationMessage | null;
  readonly scoped_routes: Present;
}

export interface RouteConfigurationMessage {
  readonly name: string;
  readonly virtual_hosts: readonly VirtualHostMessage[];
}

export interface VirtualHostMessage {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly RouteMessage[];
  readonly matcher: Present;
}

export interface HashPolicyMessage {
  readonly header: Present;
  readonly cookie: Present;
  readonly query_parameter: Present;
  readonly filter_state: Present;
}

export interface RouteMessage {
  readonly name: string;
  readonly match: RouteMatchMessage | null;
  readonly route: {
    readonly cluster: string;
    readonly weighted_clusters: {
      readonly clusters: readonly { readonly name: string; readonly weight: Wrapped<number> | null }[];
    } | null;
    readonly hash_policy: readonly HashPolicyMessage[];
  } | null;
  readonly redirect: Present;
  readonly direct_response: Present;
}

export interface RouteMatchMessage {
  readonly prefix: string;
  readonly path: string;
  readonly headers: readonly Present[];
  readonly query_parameters: readonly Present[];
  readonly grpc: Present;
  readonly runtime_fraction: Present;
  readonly safe_regex: Present;
  readonly tls_context: Present;
  readonly connect_matcher: Present;
  readonly dynamic_metadata: readonly Present[];
  readonly path_separated_prefix: string;
  readonly path_match_policy: Present;
  readonly filter_state: readonly Present[];
  readonly cookies: readonly Present[];
}

const schema = createSchema(address, endpoint, cluster, route, listener);

export const clusterType = schema.message<ClusterMessage>("envoy.cluster.Cluster");
export const ringHashType = schema.message<RingHashMessage>("envoy.cluster.RingHash");
export const maglevType = schema.message<MaglevMessage>("envoy.cluster.Maglev");
export const leastRequestType = schema.message<LeastRequestMessage>("envoy.cluster.LeastRequest");
export const roundRobinType = schema.message<RoundRobinMessage>("envoy.cluster.RoundRobin");
export const randomType = schema.message<RandomMessage>("envoy.cluster.Random");
export const assignmentType = schema.message<AssignmentMessage>("envoy.endpoint.ClusterLoadAssignment");
export const listenerType = schema.message<ListenerMessage>("envoy.listener.Listener");
export const tcpProxyType = schema.message<TcpProxyMessage>("envoy.listener.TcpProxy");
export const httpConnectionManagerType = schema.message<HttpConnectionManagerMessage>(
  "envoy.listener.HttpConnectionManager",
);
export const routeConfigurationType = schema.message<RouteConfigurationMessage>(
  "envoy.route.RouteConfiguration",
);
