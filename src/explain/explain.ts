/**
 * Where a connection from this node would go: a pure function of the mesh and of where the node is, by the same compiler that programs
 * the kernel.
 */

import { compileService } from "../dataplane/compile.ts";
import type { Aside, DesiredEndpoint } from "../dataplane/desired.ts";
import type { Place } from "../locality/mod.ts";
import {
  type ConnectionLimit,
  familyOf,
  type LbPolicy,
  lbPolicyOf,
  type Service,
  serviceKey,
  type Snapshot,
  type Workload,
} from "../mesh/mod.ts";
import type { Destination } from "./destination.ts";
import { fraction } from "./fraction.ts";
import { ownerOfAddress, ownerOfVip, workloadAt } from "./owner.ts";

export type { Destination };

export interface ExplainOptions {
  readonly snapshot: Snapshot;
  readonly place: Place;
  readonly protocol: "TCP" | "UDP";
  /** What is set aside. @default {nothing} */
  readonly aside?: Aside;
  /** What the kernel counts. @default {nothing is known} */
  readonly counts?: LiveCounts;
  /** In the source's order, which decides between workloads with the same address. */
  readonly workloads: Iterable<Workload>;
}

/** What only a kernel that serves can tell. */
export interface LiveCounts {
  /** How many connections count under the limit of a cluster. */
  active(cluster: string): number;
  /** How many connections to a service port were refused. @param port as `DesiredServicePort` has it */
  refused(port: { readonly service: string; readonly key: string }): number;
}

/**
 * - `endpoints`: to one of those listed
 * - `none`: refused, never forwarded; where a limit of connections is reached, the endpoints are those that serve once there is a place
 * - `passthrough`: a service owns the address, and the destination stays as it is
 * - `unknown`: nothing in the mesh owns the address; the destination stays as it is
 */
export type Outcome = "endpoints" | "none" | "passthrough" | "unknown";

export interface Explanation {
  readonly outcome: Outcome;
  readonly reason: string;
  /** `namespace/hostname`. */
  readonly service: string | null;
  readonly mode: string | null;
  /** How the endpoints of the service port are chosen; this and the next two are `null` where none takes the connection. */
  readonly lbPolicy: LbPolicy | null;
  /** The most TCP connections that the node may have to the cluster, and how many there are. */
  readonly connectionLimit: (ConnectionLimit & { readonly active: number }) | null;
  /** How many connections to the service port were refused; `null` also where nobody counts. */
  readonly refused: number | null;
  /** Where the node is. */
  readonly node: Readonly<
    Record<"network" | "region" | "zone" | "subzone" | "node" | "clusterId", string>
  >;
  /** Those that may be chosen, by uid. */
  readonly endpoints: readonly {
    readonly uid: string;
    readonly address: string;
    readonly port: number;
    /** From 0, the nearest. */
    readonly tier: number;
    /** An exact fraction in lowest terms. */
    readonly share: string;
  }[];
  /** Those in tiers behind, which come when the nearer ones are empty. */
  readonly standby: readonly {
    readonly uid: string;
    readonly address: string;
    readonly port: number;
    readonly tier: number;
  }[];
  readonly excluded: readonly { readonly uid: string; readonly reason: string }[];
}

/** What is the same in many answers; the outcome and its reason are to come first. */
const nothing = {
  outcome: "unknown",
  reason: "nothing in the mesh owns this address",
  service: null,
  mode: null,
  lbPolicy: null,
  connectionLimit: null,
  refused: null,
  endpoints: [],
  standby: [],
  excluded: [],
} as const;

/** Says where a connection would go, and why. */
export function explain(to: Destination, options: ExplainOptions): Explanation {
  const { network, locality, node, clusterId } = options.place;
  return { ...explainFor(to, options), node: { network, ...locality, node, clusterId } };
}

/** A service with assigned endpoints has no say in ports that it does not list. */
function leavesPort({ assigned }: Service, port: number): boolean {
  return assigned !== null && !assigned.has(port);
}

type Answer = Omit<Explanation, "node">;

function explainFor(to: Destination, options: ExplainOptions): Answer {
  const { snapshot, place: { network } } = options;
  const ofVip = ownerOfVip(snapshot, network, to.address);
  const ofRange = ofVip === undefined || leavesPort(ofVip, to.port)
    ? ownerOfAddress(snapshot, network, to.address)
    : undefined;
  const owner = ofRange ?? ofVip;
  if (owner) return explainService(to, owner, options);
  const workload = workloadAt(options.workloads, network, to.address);
  if (workload === undefined) return nothing;
  return {
    ...nothing,
    outcome: "endpoints",
    reason: workload.traits.waypoint ? "needs waypoint" : "a workload's own address",
    endpoints: [{ uid: workload.uid, address: to.address, port: to.port, tier: 0, share: "1/1" }],
  };
}

function explainService(to: Destination, service: Service, options: ExplainOptions): Answer {
  const key = serviceKey(service);
  const desired = compileService(options.snapshot, key, options.place, {
    families: [familyOf(to.address)],
    aside: options.aside?.get(key),
  });
  const mode = service.assigned ? "Assigned" : service.loadBalancer?.mode ?? "Standard";
  const whose = { ...nothing, service: key, mode };
  if (desired.left) return { ...whose, outcome: "passthrough", reason: desired.left };
  const family = familyOf(to.address);
  const port = desired.servicePorts.find((one) => one.port === to.port && one.family === family);
  const isUdp = options.protocol === "UDP";
  if (service.assigned && (isUdp || !port)) {
    const reason = port ? "UDP is left alone" : `port ${to.port} is not listed: left alone`;
    return { ...whose, outcome: "passthrough", reason };
  }
  if (!port) {
    const reason = `port ${to.port} is not listed`;
    return isUdp
      ? { ...whose, outcome: "passthrough", reason: `${reason}: UDP is left alone` }
      : { ...whose, outcome: "none", reason };
  }
  const excluded = desired.excluded.filter((one) => one.port === to.port && one.family === family)
    .map(({ uid, reason }) => ({ uid, reason }));
  const [nearest, ...behind] = port.tiers.map(({ endpoints }) => endpoints.toSorted(byUid));
  const chosen = nearest?.filter((one) => one.weight > 0) ?? [];
  const idle = nearest?.filter((one) => one.weight === 0) ?? [];
  const total = chosen.reduce((sum, one) => sum + BigInt(one.weight), 0n);
  const at = ({ uid, address, port }: DesiredEndpoint, tier: number) => ({ uid, address, port, tier });
  const { counts } = options;
  const connectionLimit = isUdp || port.connectionLimit === null
    ? null
    : { ...port.connectionLimit, active: counts?.active(port.connectionLimit.cluster) ?? 0 };
  const parts = {
    ...whose,
    lbPolicy: lbPolicyOf(port.choice),
    connectionLimit,
    refused: counts?.refused(port) ?? null,
    endpoints: chosen.map((one) => ({ ...at(one, 0), share: fraction(BigInt(one.weight), total) })),
    standby: behind.flatMap((endpoints, i) => endpoints.map((one) => at(one, i + 1))),
    excluded: [...excluded, ...idle.map(({ uid }) => ({ uid, reason: "capacity 0" }))].sort(byUid),
  };
  if (chosen.length > 0 && connectionLimit && connectionLimit.active >= connectionLimit.max) {
    const { cluster, max } = connectionLimit;
    const reason = `max_connections ${max} of cluster ${cluster} reached: connect fails with ECONNREFUSED`;
    return { ...parts, outcome: "none", reason };
  }
  if (chosen.length > 0) {
    return { ...parts, outcome: "endpoints", reason: reasonOf(service, port.tiers.length) };
  }
  if (isUdp && port.mapped === 0) {
    return { ...parts, outcome: "passthrough", reason: "no endpoint maps this port: UDP is left alone" };
  }
  return { ...parts, outcome: "none", reason: whyNone(service, nearest !== undefined, excluded) };
}

function byUid(a: { readonly uid: string }, b: { readonly uid: string }): number {
  return a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0;
}

function reasonOf(service: Service, tiers: number): string {
  if (service.assigned && tiers > 1) return `the nearest of ${tiers} tiers`;
  switch (service.loadBalancer?.mode) {
    case "Strict":
      return "strict: endpoints that agree with the node in every preference";
    case "Failover":
      return tiers > 1 ? `failover: the nearest of ${tiers} tiers` : "failover: there is one tier";
    default:
      return "all usable endpoints";
  }
}

function whyNone(service: Service, hasTier: boolean, excluded: Explanation["excluded"]): string {
  if (hasTier) return "no endpoint of the nearest tier may be chosen";
  if (excluded.length === 0) return "the service has no endpoints";
  if (service.loadBalancer?.mode === "Strict" && excluded.some(({ reason }) => reason === "not local")) {
    return "strict, no local endpoint";
  }
  return "no endpoint may be used";
}
