/** The xDS client: one stream to a control plane, in either variant. */

export type { Collection, Protocol, Rejection, StoredResource, TypeState } from "./protocol.ts";
