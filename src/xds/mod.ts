/** The xDS client: one stream to a control plane, in either variant. */

export { createAdsProtocol } from "./ads/mod.ts";
export { type NodeIdentity, nodeMessage } from "./node.ts";
export type { Collection, Protocol, Rejection, StoredResource, TypeState } from "./protocol.ts";
export { resourcesJson, type ResourcesOf } from "./resources_json.ts";
export { createWorkloadProtocol } from "./workload/mod.ts";
