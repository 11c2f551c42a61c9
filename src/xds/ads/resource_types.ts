/** The four types of resources that mode ads asks for. */

import { decodeAssignment } from "./decode_assignment.ts";
import { decodeCluster } from "./decode_cluster.ts";
import { decodeListener } from "./decode_listener.ts";
import { decodeRoute } from "./decode_route.ts";
import { assignmentJson, clusterJson, listenerJson, routeJson } from "./json.ts";
import type { Assignment, Cluster, Listener, RouteTable } from "./model.ts";

/** What weft knows of one type of resources. */
export interface ResourceType<T> {
  readonly typeUrl: string;
  /** In messages, such as `cluster`. */
  readonly noun: string;
  /** The key in `weft resources`. */
  readonly collection: string;
  readonly shape: "by name" | "list";
  /** Asked for by names; else all are asked for, and what a response does not hold has gone. */
  readonly byName: boolean;
  /** @throws {Error} with the reason, where the bytes are no such resource or make no sense */
  decode(bytes: Uint8Array): T;
  json(resource: T): unknown;
}

export const clusters: ResourceType<Cluster> = {
  typeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  noun: "cluster",
  collection: "clusters",
  shape: "list",
  byName: false,
  decode: decodeCluster,
  json: clusterJson,
};

export const endpoints: ResourceType<Assignment> = {
  typeUrl: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  noun: "assignment",
  collection: "endpoints",
  shape: "by name",
  byName: true,
  decode: decodeAssignment,
  json: assignmentJson,
};

export const listeners: ResourceType<Listener> = {
  typeUrl: "type.googleapis.com/envoy.config.listener.v3.Listener",
  noun: "listener",
  collection: "listeners",
  shape: "list",
  byName: false,
  decode: decodeListener,
  json: listenerJson,
};

export const routes: ResourceType<RouteTable> = {
  typeUrl: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  noun: "route configuration",
  collection: "routes",
  shape: "list",
  byName: true,
  decode: decodeRoute,
  json: routeJson,
};
