/** The xDS client: one stream to a control plane, in either variant. */

export { createAdsProtocol } from "./ads/mod.ts";
export { type Backoff, type BackoffOptions, createBackoff } from "./backoff.ts";
export { type Client, type ClientOptions, type ClientState, runClient } from "./client.ts";
export { CredentialsError, type TlsOptions } from "./credentials.ts";
export { type NodeIdentity, nodeMessage } from "./node.ts";
export type { Collection, Protocol, Rejection, StoredResource, TypeState } from "./protocol.ts";
export { type ResourcesOf, resourcesText } from "./resources_text.ts";
export { formatTarget, parseTarget, type Target } from "./target.ts";
export { openStream, type Stream, StreamError, type TransportOptions } from "./transport.ts";
export { createWorkloadProtocol } from "./workload/mod.ts";
