/**
 * What the kernel should hold for a snapshot, before anything is known about ids, slots or what it holds now.
 *
 * The compiler makes these values from the mesh; the planner compares them with what is applied.
 */

import type { Family } from "../mesh/address.ts";
import type { ServiceKey } from "../mesh/model.ts";

/** One backend of one service port for callers of one family. */
export interface DesiredEndpoint {
  /** Unique among the endpoints of one service port: workload uid, address and target port. */
  readonly key: string;
  readonly uid: string;
  /** Canonical text, of the service port's family. */
  readonly address: string;
  /** Target port, host byte order, never 0. */
  readonly port: number;
  /** The workload's capacity; an endpoint of weight 0 is present in its tier and never chosen. */
  readonly weight: number;
}

/** All endpoints of one rank; none where the rank occurs, but nobody of it can be chosen: such a tier refuses. */
export interface DesiredTier {
  readonly endpoints: readonly DesiredEndpoint[];
}

/** One port of one service as callers of one family see it. */
export interface DesiredServicePort {
  /** `namespace/hostname|port|family`. */
  readonly key: string;
  readonly service: ServiceKey;
  /** Service port, host byte order. */
  readonly port: number;
  readonly family: Family;
  /** Some workload maps this port, usable or not: UDP without a usable endpoint is then refused, else left alone. */
  readonly mapped: boolean;
  /** Nearest first. */
  readonly tiers: readonly DesiredTier[];
}

/** What happens to a connection that a frontend matches. */
export type FrontendTarget =
  /** Balance over the service port with this key. */
  | { readonly kind: "servicePort"; readonly key: string }
  /** A VIP's port that its service does not list: TCP is refused, UDP left alone. */
  | { readonly kind: "unlisted" }
  /** The destination stays as it is (mode Passthrough, or a waypoint is needed). */
  | { readonly kind: "leave" };

/** An address, or a range of them, port and protocol that applications connect to. */
export interface DesiredFrontend {
  /** Canonical text; of a range `address/length`. */
  readonly address: string;
  /** Host byte order; 0 stands for every port of the address that has no frontend of its own. */
  readonly port: number;
  /** IPPROTO_TCP, IPPROTO_UDP, or 0 (both) where `port` is 0. */
  readonly protocol: 0 | 6 | 17;
  readonly target: FrontendTarget;
}

/** Why a member of a service is not among its endpoints. */
export type ExclusionReason =
  | "unhealthy"
  | "other network"
  | "no address of this family"
  | "excluded by ipFamilies"
  | "target port 0"
  /** Mode Strict: it does not agree with the node in every preference. */
  | "not local";

export interface Excluded {
  readonly uid: string;
  readonly port: number;
  readonly family: Family;
  readonly reason: ExclusionReason;
}

/** Everything that one service asks of the kernel. */
export interface DesiredService {
  readonly service: ServiceKey;
  readonly servicePorts: readonly DesiredServicePort[];
  readonly frontends: readonly DesiredFrontend[];
  readonly excluded: readonly Excluded[];
  /** Why the service is not balanced, where it is not. */
  readonly left: "passthrough" | "needs waypoint" | null;
}
