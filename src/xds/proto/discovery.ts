/** The messages of an xDS stream itself, of both variants. */

import discovery from "./discovery.proto" with { type: "text" };
import { createSchema } from "./schema.ts";

/** google.protobuf.Any. */
export interface Any {
  readonly type_url: string;
  readonly value: Uint8Array;
}

/** google.rpc.Status. */
export interface Status {
  readonly code: number;
  readonly message: string;
}

/** google.protobuf.Value, as far as weft writes it. */
export type Value = { readonly string_value: string } | { readonly bool_value: boolean } | {
  readonly struct_value: { readonly fields: Readonly<Record<string, Value>> };
};

/** Who asks: envoy.config.core.v3.Node. */
export interface Node {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: { readonly fields: Readonly<Record<string, Value>> } | null;
  readonly locality: { readonly region: string; readonly zone: string; readonly sub_zone: string } | null;
  readonly user_agent_name: string;
  readonly user_agent_version: string;
}

/** A request of the state of the world. */
export interface DiscoveryRequest {
  readonly version_info: string;
  readonly node: Partial<Node> | null;
  readonly resource_names: readonly string[];
  readonly type_url: string;
  readonly response_nonce: string;
  readonly error_detail: Status | null;
}

export interface DiscoveryResponse {
  readonly version_info: string;
  readonly resources: readonly Any[];
  readonly type_url: string;
  readonly nonce: string;
}

/** A request of the delta protocol. */
export interface DeltaDiscoveryRequest {
  readonly node: Partial<Node> | null;
  readonly type_url: string;
  readonly resource_names_subscribe: readonly string[];
  readonly resource_names_unsubscribe: readonly string[];
  readonly initial_resource_versions: Readonly<Record<string, string>>;
  readonly response_nonce: string;
  readonly error_detail: Status | null;
}

export interface DeltaDiscoveryResponse {
  readonly system_version_info: string;
  readonly resources: readonly Resource[];
  readonly type_url: string;
  readonly nonce: string;
  readonly removed_resources: readonly string[];
}

/** One resource of a delta response. */
export interface Resource {
  readonly version: string;
  readonly resource: Any | null;
  readonly name: string;
  readonly aliases: readonly string[];
}

const schema = createSchema(discovery);

export const anyType = schema.message<Any>("google.Any");
export const discoveryRequestType = schema.message<DiscoveryRequest>("envoy.discovery.DiscoveryRequest");
export const discoveryResponseType = schema.message<DiscoveryResponse>("envoy.discovery.DiscoveryResponse");
export const deltaRequestType = schema.message<DeltaDiscoveryRequest>(
  "envoy.discovery.DeltaDiscoveryRequest",
);
export const deltaResponseType = schema.message<DeltaDiscoveryResponse>(
  "envoy.discovery.DeltaDiscoveryResponse",
);
export const resourceType = schema.message<Resource>("envoy.discovery.Resource");
