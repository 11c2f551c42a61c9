/** What the mesh is: its parts, its addresses, and who owns what. */

export {
  addressToBytes,
  bytesToAddress,
  type Family,
  familyOf,
  formatAddressPort,
  parseAddress,
} from "./address.ts";
export { changedServices, type ServiceChange } from "./changed_services.ts";
export { lbPolicies, type LbPolicy, lbPolicyOf } from "./lb_policy.ts";
export * from "./model.ts";
export { ownerOf, ownerOfRange } from "./owners.ts";
export { type Change, diff, emptyMap, type MapDraft, mapOf, type PersistentMap } from "./persistent_map.ts";
export { createTraitsSharing } from "./share_traits.ts";
export {
  beginEdit,
  editSnapshot,
  emptySnapshot,
  type MeshEdit,
  rangeKey,
  replaceMesh,
  type Snapshot,
  type SnapshotEdit,
  vipKey,
} from "./snapshot.ts";
export { sameContents } from "./_equal.ts";
export { hashText } from "./hash_text.ts";
