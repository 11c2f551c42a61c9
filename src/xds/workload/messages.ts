/** The messages of istio.workload and istio.security. */

import { createSchema } from "../proto/mod.ts";
import security from "../proto/security.proto" with { type: "text" };
import workload from "../proto/workload.proto" with { type: "text" };

export interface AddressMessage {
  readonly workload: WorkloadMessage | null;
  readonly service: ServiceMessage | null;
}

export interface WorkloadMessage {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly Uint8Array[];
  readonly hostname: string;
  readonly network: string;
  readonly tunnel_protocol: number;
  readonly trust_domain: string;
  readonly service_account: string;
  readonly waypoint: GatewayMessage | null;
  readonly network_gateway: GatewayMessage | null;
  readonly node: string;
  readonly canonical_name: string;
  readonly canonical_revision: string;
  readonly workload_type: number;
  readonly workload_name: string;
  readonly native_tunnel: boolean;
  readonly application_tunnel: { readonly protocol: number; readonly port: number } | null;
  readonly services: Readonly<Record<string, { readonly ports: readonly PortMessage[] }>>;
  readonly authorization_policies: readonly string[];
  readonly status: number;
  readonly cluster_id: string;
  readonly locality: { readonly region: string; readonly zone: string; readonly subzone: string } | null;
  readonly network_mode: number;
  readonly capacity: { readonly value: number } | null;
}

/** One entry of a workload's services. */
export interface MembershipMessage {
  readonly service: string;
  readonly ports: { readonly ports: readonly PortMessage[] } | null;
}

export interface ServiceMessage {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly addresses: readonly NetworkAddressMessage[];
  readonly ports: readonly PortMessage[];
  readonly subject_alt_names: readonly string[];
  readonly waypoint: GatewayMessage | null;
  readonly load_balancing: {
    readonly routing_preference: readonly number[];
    readonly mode: number;
    readonly health_policy: number;
  } | null;
  readonly ip_families: number;
  readonly canonical: boolean;
  readonly ingress_use_waypoint: boolean;
  readonly weighted_waypoints: readonly {
    readonly destination: GatewayMessage | null;
    readonly weight: number;
  }[];
  readonly visibility: number;
}

export interface PortMessage {
  readonly service_port: number;
  readonly target_port: number;
  readonly app_protocol: number;
}

export interface GatewayMessage {
  readonly hostname: { readonly namespace: string; readonly hostname: string } | null;
  readonly address: NetworkAddressMessage | null;
  readonly hbone_mtls_port: number;
}

export interface NetworkAddressMessage {
  readonly network: string;
  readonly address: Uint8Array;
  /** Where it is set (see `hasLength`), a range of so many bits. */
  readonly length: number;
}

export interface AuthorizationMessage {
  readonly name: string;
  readonly namespace: string;
  readonly scope: number;
  readonly action: number;
  readonly groups: readonly { readonly rules: readonly { readonly matches: readonly MatchMessage[] }[] }[];
  readonly dry_run: boolean;
}

export interface MatchMessage {
  readonly namespaces: readonly StringMatchMessage[];
  readonly not_namespaces: readonly StringMatchMessage[];
  readonly principals: readonly StringMatchMessage[];
  readonly not_principals: readonly StringMatchMessage[];
  readonly source_ips: readonly PrefixMessage[];
  readonly not_source_ips: readonly PrefixMessage[];
  readonly destination_ips: readonly PrefixMessage[];
  readonly not_destination_ips: readonly PrefixMessage[];
  readonly destination_ports: readonly number[];
  readonly not_destination_ports: readonly number[];
  readonly service_accounts: readonly ServiceAccountMessage[];
  readonly not_service_accounts: readonly ServiceAccountMessage[];
}

export interface PrefixMessage {
  readonly address: Uint8Array;
  readonly length: number;
}

export interface ServiceAccountMessage {
  readonly namespace: string;
  readonly service_account: string;
}

/** One of the first three is written, or `presence`. */
export interface StringMatchMessage {
  readonly exact: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly presence: object | null;
}

const schema = createSchema(workload, security);

export const addressType = schema.message<AddressMessage>("istio.workload.Address");
export const authorizationType = schema.message<AuthorizationMessage>("istio.security.Authorization");

export const workloadType = schema.message<WorkloadMessage>("istio.workload.Workload");
export const serviceType = schema.message<ServiceMessage>("istio.workload.Service");
export const gatewayType = schema.message<GatewayMessage>("istio.workload.GatewayAddress");
export const localityType = schema.message<NonNullable<WorkloadMessage["locality"]>>(
  "istio.workload.Locality",
);
export const membershipType = schema.message<MembershipMessage>("istio.workload.Membership");
export const uint32Type = schema.message<{ readonly value: number }>("google.UInt32Value");

export const addressUrl = "type.googleapis.com/istio.workload.Address";
export const authorizationUrl = "type.googleapis.com/istio.security.Authorization";

/** Whether an address is a range; on the wire a length of 0 differs from none. */
export function hasLength(address: NetworkAddressMessage): boolean {
  return Object.hasOwn(address, "length");
}
