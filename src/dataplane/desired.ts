/**
 * What the kernel should hold for a snapshot, before anything is known about ids, slots or what it holds now.
 *
 * The compiler makes these values from the mesh; the planner compares them with what is applied.
 */

import type { Steps } from "../host/mod.ts";
import type { Family } from "../mesh/address.ts";
import type { Choice, ConnectionLimit, ServiceKey } from "../mesh/model.ts";

/** One backend of one service port for callers of one family. */
export interface DesiredEndpoint {
  readonly uid: string;
  /** Canonical text, of the service port's family. */
  readonly address: string;
  /** Target port, host byte order, never 0. */
  readonly port: number;
  /** The workload's capacity; an endpoint of weight 0 is present in its tier and never chosen. */
  readonly weight: number;
}

/** What tells one endpoint of a service port from another: workload uid, address and target port. */
export function endpointKey(
  { uid, address, port }: Pick<DesiredEndpoint, "uid" | "address" | "port">,
): string {
  return `${uid}|${address}|${port}`;
}

/** All endpoints of one rank; none where the rank occurs, but nobody of it can be chosen: such a tier refuses. */
export interface DesiredTier {
  /** Higher is nearer. */
  readonly rank: number;
  readonly endpoints: readonly DesiredEndpoint[];
  /** How many more are of this rank that can never be chosen, as they map the port to 0 themselves. */
  readonly portless: number;
}

/** One port of one service as callers of one family see it. */
export interface DesiredServicePort {
  /** `namespace/hostname|port|family`. */
  readonly key: string;
  readonly service: ServiceKey;
  /** Service port, host byte order. */
  readonly port: number;
  readonly family: Family;
  /** How many workloads map this port, usable or not: if some do, UDP without a usable endpoint is refused, else left alone. */
  readonly mapped: number;
  /** Nearest first. */
  readonly tiers: readonly DesiredTier[];
  /** How one of a tier's endpoints is chosen. */
  readonly choice: Choice;
  /** `null`: none. */
  readonly connectionLimit: ConnectionLimit | null;
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
  | "not local"
  /** Connects to it failed (src/outlier_detection). */
  | "set aside";

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

/** Who is of which rank; no endpoint where it can never be chosen, as it maps the port to 0 itself. */
export interface RankedEndpoint {
  readonly rank: number;
  readonly endpoint: DesiredEndpoint | null;
}

/** What changes at one service port when some members of the service change. */
export interface ServicePortEdit {
  /** As `DesiredServicePort.key`. */
  readonly key: string;
  /** How many more workloads map the port. */
  readonly mapped: number;
  readonly removed: readonly RankedEndpoint[];
  readonly added: readonly RankedEndpoint[];
}

/** What some members of a service change of it; nothing else of the service is different. Costs what changed. */
export interface ServiceEdit {
  readonly edits: readonly ServicePortEdit[];
  /** All of the service, for when it must be planned as a whole (planEdit). */
  readonly whole: () => Steps<DesiredService>;
}

/** Endpoints of one service that are set aside: `asideKey` → uid of the workload. */
export type AsideEndpoints = ReadonlyMap<string, string>;

/** Every endpoint that is set aside, by service. Immutable: what changed is told by identity. */
export type Aside = ReadonlyMap<ServiceKey, AsideEndpoints>;

/** Names an endpoint of a service port. @param endpoint `endpointKey` */
export function asideKey(servicePort: string, endpoint: string): string {
  return `${servicePort}|${endpoint}`;
}
