/**
 * What the control plane says in mode ads, as far as weft uses it: clusters, their endpoints, listeners and routes.
 *
 * The values are small and immutable. Names and addresses are as written by the control plane; an enum is its name, or its
 * number as text where weft does not know it.
 */

import type { Choice, Family } from "../../mesh/mod.ts";

/** Where something listens, or where an endpoint is dialled. */
export interface HostPort {
  /** An IP address or a host name, as written; "" where there is none. */
  readonly host: string;
  /** Host byte order. */
  readonly port: number;
}

export type Health = "UNKNOWN" | "HEALTHY" | "UNHEALTHY" | "DRAINING" | "TIMEOUT" | "DEGRADED" | `${number}`;

/** One endpoint of a locality. */
export interface LbEndpoint extends HostPort {
  /** The internal listener that it is meant to be reached through, `host` and `port` being its endpoint id; "" without. */
  readonly via: string;
  readonly health: Health;
  /** 1..4294967295. */
  readonly weight: number;
  /** Further addresses of the same endpoint. */
  readonly additional: readonly HostPort[];
}

/** The endpoints of one locality in one priority. */
export interface LocalityEndpoints {
  /** `region/zone/subzone`. */
  readonly locality: string;
  /** 0 is nearest; at most 128. */
  readonly priority: number;
  /** 1..4294967295; 0 where the control plane gives none. */
  readonly weight: number;
  readonly endpoints: readonly LbEndpoint[];
}

/** A ClusterLoadAssignment. */
export interface Assignment {
  readonly name: string;
  readonly localities: readonly LocalityEndpoints[];
  /** In percent: a locality counts in full while this × its share of usable endpoints is at least 100. */
  readonly overprovisioning: number;
  /** What it asks for and does not get, for people. */
  readonly unhonoured: readonly string[];
}

export interface Cluster {
  readonly name: string;
  /** `EDS`, `STATIC`, `STRICT_DNS`, `LOGICAL_DNS`, `ORIGINAL_DST`, or the name of a custom one. */
  readonly type: string;
  readonly lbPolicy: string;
  /** How endpoints are chosen; `undefined` where weft does not know how. */
  readonly choice: Choice | undefined;
  /** What asks for that choice, for people: `lbPolicy`, or the extensions that are named instead. */
  readonly policy: string;
  /** What its settings ask for and do not get, for people. */
  readonly unhonoured: readonly string[];
  /** `undefined` where the control plane gives none. */
  readonly maxConnections: number | undefined;
  /** The name of its assignment; "" where it is not of type EDS. */
  readonly edsName: string;
  /** The endpoints written in the cluster itself. */
  readonly assignment: Assignment | undefined;
  /** The only family that names are to be looked up for; `undefined`: both. */
  readonly lookupFamily: Family | undefined;
  /** Endpoints are chosen by their locality's weight first. */
  readonly localityWeighted: boolean;
  /** In percent; below it, health would be ignored. `undefined` where the control plane gives none. */
  readonly panicThreshold: number | undefined;
  /** The transport that connections to its endpoints would be wrapped in, such as TLS; "" for none. */
  readonly transport: string;
  /** Names of the matches that would wrap the connections to endpoints that they hold for, as istiod's `tlsMode-istio`. */
  readonly transportMatches: readonly string[];
}

/** Where a connection is to go. */
export interface Target {
  /** Written as weighted clusters, be it only one. */
  readonly weighted: boolean;
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  /** What a consistent policy is to hash besides the client's address, in the words of xDS. */
  readonly hashes: readonly string[];
}

/** What a filter chain does with a connection. */
export type ChainAction =
  | {
    readonly kind: "tcp";
    readonly target: Target;
    readonly hash: "sourceIp" | "filterState" | "";
    /** Connections are wrapped in HTTP CONNECT. */
    readonly tunnel: boolean;
  }
  /** HTTP by routes that are subscribed by name. */
  | { readonly kind: "rds"; readonly route: string }
  /** HTTP by routes that stand in the listener. */
  | { readonly kind: "inline"; readonly routes: RouteTable }
  /** Something that weft cannot do. */
  | { readonly kind: "other"; readonly what: string };

/** Which connections a filter chain is for; what is empty does not matter. */
export interface ChainMatch {
  readonly destinationPort: number;
  /** `address/length`. */
  readonly prefixRanges: readonly string[];
  readonly serverNames: readonly string[];
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  /** Conditions on the client, for people. */
  readonly source: readonly string[];
}

export interface FilterChain {
  readonly name: string;
  readonly match: ChainMatch;
  /** Filters that come before the one that acts, by name. */
  readonly before: readonly string[];
  /** The client is to speak TLS, which ends here. */
  readonly endsTls: boolean;
  readonly action: ChainAction;
}

export interface Listener {
  readonly name: string;
  /** `undefined` where it has none. */
  readonly address: HostPort | undefined;
  readonly additional: readonly HostPort[];
  /** `TCP`, `UDP`, or "" where it has no address. */
  readonly protocol: string;
  readonly useOriginalDst: boolean | undefined;
  readonly bindToPort: boolean | undefined;
  readonly direction: string;
  readonly chains: readonly FilterChain[];
  readonly defaultChain: FilterChain | undefined;
  /** Its chains are chosen in a way that weft cannot follow. */
  readonly matcher: boolean;
}

export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  /** The first route that takes every request, where it leads to clusters. */
  readonly catchAll: Target | undefined;
  /** The routes that need to see a request: those before the catch-all, and all where there is none. */
  readonly needL7: readonly string[];
}

/** A RouteConfiguration. */
export interface RouteTable {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
}
