/**
 * The mesh as weft understands it, whatever source told it: workloads, services, policies.
 *
 * Names are those of istio's workload API. Every value is immutable; two equal values may be the same object,
 * and comparing by identity is how a change is found.
 */

/** `namespace/hostname`: the identity of a service. */
export type ServiceKey = string;

/** Service port → target port; both 0..65535, host byte order. */
export type PortMap = ReadonlyMap<number, number>;

/** An address on a named network; the default network is `""`. */
export interface NetworkAddress {
  readonly network: string;
  /** Canonical text as `parseAddress` gives it; an IPv4-mapped address is the IPv4 address. */
  readonly address: string;
}

/** A range of addresses that a service owns. */
export interface NetworkRange {
  readonly network: string;
  /** Canonical text of the range's first address (host bits cleared). */
  readonly address: string;
  /** Prefix length in bits: 0..32 for IPv4, 0..128 for IPv6. */
  readonly prefixLength: number;
}

/** Where a waypoint or a network gateway is reached. */
export interface GatewayAddress {
  /** `network/ip` or `namespace/hostname`, as written. */
  readonly destination: string;
  readonly hboneMtlsPort: number;
}

/** Where a workload or a node is; empty text is a value like any other. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

export type Health = "Healthy" | "Unhealthy";

/** What many workloads have alike, and keep: they share one object of it. */
export interface WorkloadTraits {
  readonly namespace: string;
  readonly network: string;
  readonly node: string;
  readonly clusterId: string;
  readonly locality: Locality;
  readonly waypoint: GatewayAddress | null;
  readonly networkGateway: GatewayAddress | null;
  /** What its own side speaks. weft dials its address all the same; of several with one address it says who answers. */
  readonly protocol: "TCP" | "HBONE";
  /** HostNetwork: it shares the node's address, which is then not its own. */
  readonly networkMode: "Standard" | "HostNetwork";
  readonly authorizationPolicies: readonly string[];
}

/** What holds of a workload of which nothing is said. */
export const noTraits: WorkloadTraits = {
  namespace: "",
  network: "",
  node: "",
  clusterId: "",
  locality: { region: "", zone: "", subzone: "" },
  waypoint: null,
  networkGateway: null,
  protocol: "TCP",
  networkMode: "Standard",
  authorizationPolicies: [],
};

/** One instance of an application: a pod or a virtual machine. Its name and hostname are not kept: its uid is what identifies it. */
export interface Workload {
  readonly uid: string;
  /** Canonical texts, in the order of the source. */
  readonly addresses: readonly string[];
  readonly status: Health;
  /** Weight among the endpoints of a service, 0..4294967295; 0 is never chosen. */
  readonly capacity: number;
  /** Services that this workload is a member of, each with the workload's own port mapping. */
  readonly services: ReadonlyMap<ServiceKey, PortMap>;
  readonly traits: WorkloadTraits;
}

export type Scope = "Region" | "Zone" | "Subzone" | "Node" | "Cluster" | "Network";

export interface LoadBalancer {
  readonly routingPreferences: readonly Scope[];
  readonly mode: "Standard" | "Strict" | "Failover" | "Passthrough";
  readonly healthPolicy: "OnlyHealthy" | "AllowAll";
}

/** An endpoint written in the service itself; its health is not looked at. */
export interface StaticEndpoint {
  readonly workloadUid: string;
  readonly ports: PortMap;
}

/** A backend that the source itself assigned to a service port, with no workload behind it that weft knows. */
export interface AssignedEndpoint {
  /** Canonical text. */
  readonly address: string;
  /** Target port, 1..65535. */
  readonly port: number;
  /** 1..4294967295, among the endpoints of its tier and family. */
  readonly weight: number;
}

/**
 * The tiers of one service port, nearest first, as the source says: where the node is does not matter to them. A caller is served by
 * the first tier that has an endpoint of its family.
 */
export type AssignedTiers = readonly (readonly AssignedEndpoint[])[];

/** How one endpoint of a tier is chosen for a connection. */
export type Choice =
  | { readonly kind: "random" }
  | { readonly kind: "roundRobin" }
  /** The least busy of so many chosen at random, at least 2. */
  | { readonly kind: "leastRequest"; readonly choices: number }
  /** Consistent, on a ring of so many points. */
  | { readonly kind: "ringHash"; readonly minimumSize: number; readonly maximumSize: number }
  /** Consistent, by a table of so many entries, a prime number. */
  | { readonly kind: "maglev"; readonly tableSize: number };

/** By weight: what holds where nobody asks for anything else. */
export const randomChoice: Choice = { kind: "random" };

/** How many connections the endpoints of one cluster may have together. */
export interface ConnectionLimit {
  /** Service ports that name the same cluster share the limit. */
  readonly cluster: string;
  /** 0..4294967294. */
  readonly max: number;
}

/** What a source itself assigned to one service port. Immutable; the same object while nothing of it changes. */
export interface AssignedPort {
  readonly tiers: AssignedTiers;
  readonly choice: Choice;
  /** `null`: none. */
  readonly connectionLimit: ConnectionLimit | null;
}

/** A name with virtual addresses and ports. */
export interface Service {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly vips: readonly NetworkAddress[];
  readonly ranges: readonly NetworkRange[];
  /** Service port → default target port; 0 means that only endpoints with a mapping of their own serve it. */
  readonly ports: PortMap;
  readonly loadBalancer: LoadBalancer | null;
  readonly ipFamilies: "IPv4" | "IPv6" | "Dual" | null;
  readonly canonical: boolean;
  readonly visibility: "Public" | "Namespace";
  /** True when a `waypoint` or `weightedWaypoints` is set: such a service is not balanced yet. */
  readonly needsWaypoint: boolean;
  /** Whether its endpoints are set aside when connects to them fail. */
  readonly outlierDetection: boolean;
  readonly endpoints: readonly StaticEndpoint[];
  /**
   * Service port → what is assigned to it, where the source assigns endpoints itself (mode ads); `null` where workloads are members. Such a service is
   * for TCP only, and ports that it does not list are left alone, not refused: the source speaks of listeners, not of hosts.
   */
  readonly assigned: ReadonlyMap<number, AssignedPort> | null;
}

/** An authorization policy. Its rules are not kept until weft enforces them. */
export interface Policy {
  readonly name: string;
  readonly namespace: string;
  readonly scope: "Global" | "Namespace" | "WorkloadSelector";
  readonly action: "Allow" | "Deny";
  readonly dryRun: boolean;
}

/** Everything that a source says at one moment, in the source's order (which decides contested VIPs). */
export interface Mesh {
  readonly workloads: readonly Workload[];
  readonly services: readonly Service[];
  readonly policies: readonly Policy[];
}

/** The identity of a service: `namespace/hostname`. */
export function serviceKey(service: Pick<Service, "namespace" | "hostname">): ServiceKey {
  return `${service.namespace}/${service.hostname}`;
}

/** The identity of a policy: `namespace/name`. */
export function policyKey(policy: Pick<Policy, "namespace" | "name">): string {
  return `${policy.namespace}/${policy.name}`;
}
