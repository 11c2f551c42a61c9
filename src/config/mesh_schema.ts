/**
 * The format of the mesh file: the camelCase YAML that this ecosystem's node proxy reads.
 *
 * A file that follows it is one document, a map with these keys. Every key is case-sensitive; one that is not
 * listed here is an error, save where a struct is open.
 */

import { z } from "zod";
import { parseAddress } from "../mesh/mod.ts";
import { readGatewayDestination, readNetworkAddress, readPrefix } from "./mesh_text.ts";
import {
  boolean,
  integer,
  list,
  mapOf,
  oneOf,
  openStruct,
  optional,
  orNull,
  parsed,
  struct,
  tagged,
  text,
} from "./yaml_schema.ts";

const maxPort = 65535;
const maxUint32 = 4294967295;

const port = integer(0, maxPort);
const address = parsed("an IPv4 or IPv6 address", parseAddress);
/** Left out: the empty text. Written: text, not null. */
const textOrEmpty = text.default("");

function isPort(key: unknown): key is number {
  return Number.isInteger(key) && (key as number) >= 0 && (key as number) <= maxPort;
}

function isServiceKey(key: unknown): key is string {
  return typeof key === "string" && key.includes("/");
}

/** Service port → target port. */
const portMap = mapOf(`an integer 0..${maxPort} as key`, isPort, port);

/** Where a waypoint or a network gateway is reached. */
const gateway = struct({
  /** `network/ip` or `namespace/hostname`. */
  destination: parsed(`"network/ip" or "namespace/hostname"`, readGatewayDestination),
  hboneMtlsPort: port,
});

/** Where a workload is: all three or none. */
export const localityFields = { region: text, zone: text, subzone: text };

const workload = struct({
  /** Identity: no two workloads may have the same, and so no two may be without. */
  uid: textOrEmpty,
  name: textOrEmpty,
  namespace: text,
  /** No prefix length, no network. */
  workloadIps: list(address),
  /** Memberships: `namespace/hostname` of a service → this workload's own port mapping, which may be empty. */
  services: orNull(
    mapOf(`"namespace/hostname" as key`, isServiceKey, orNull(portMap, new Map<number, number>())),
    new Map<string, Map<number, number>>(),
  ),
  network: textOrEmpty,
  node: textOrEmpty,
  clusterId: textOrEmpty,
  locality: openStruct(localityFields).optional(),
  status: oneOf("Healthy", "Unhealthy").default("Healthy"),
  /** Weight; 0 is never chosen. */
  capacity: integer(0, maxUint32).default(1),
  /** weft dials every endpoint's own address, so what its side speaks is read and not used. */
  protocol: oneOf("TCP", "HBONE").default("TCP"),
  networkMode: oneOf("Standard", "HostNetwork").default("Standard"),
  networkGateway: optional(gateway, null),
  waypoint: optional(gateway, null),
  /** For a workload that is reached by a DNS name. */
  hostname: textOrEmpty,
  serviceAccount: textOrEmpty,
  trustDomain: textOrEmpty,
  workloadName: textOrEmpty,
  workloadType: textOrEmpty,
  canonicalName: textOrEmpty,
  canonicalRevision: textOrEmpty,
  nativeTunnel: boolean.default(false),
  applicationTunnel: optional(struct({ protocol: oneOf("NONE", "PROXY"), port: optional(port, null) }), null),
  /** `namespace/name` of each. */
  authorizationPolicies: optional(list(text), []),
});

const loadBalancer = struct({
  routingPreferences: list(oneOf("Region", "Zone", "Subzone", "Node", "Cluster", "Network")),
  mode: oneOf("Standard", "Strict", "Failover", "Passthrough"),
  healthPolicy: oneOf("OnlyHealthy", "AllowAll"),
});

/** A range of addresses; host bits may be set and are cleared. */
export const cidrVipFields = {
  network: text,
  cidr: parsed(`an address with a prefix length, such as "10.5.0.0/16"`, readPrefix),
};

const service = struct({
  name: text,
  namespace: text,
  /** With the namespace, the service's identity. */
  hostname: text,
  /** `network/ip`; `/10.96.0.1` is on the default network. */
  vips: list(parsed(`"network/ip", such as "/10.96.0.1"`, readNetworkAddress)),
  /** A target port of 0 means that only endpoints with a mapping of their own serve that port. */
  ports: portMap,
  cidrVips: optional(list(openStruct(cidrVipFields)), []),
  loadBalancer: optional(loadBalancer, null),
  /** Left out: whatever addresses there are. */
  ipFamilies: optional(oneOf("IPv4", "IPv6", "Dual"), null),
  canonical: boolean.default(false),
  visibility: oneOf("Public", "Namespace").default("Public"),
  waypoint: optional(gateway, null),
  /** weft's own, no other agent knows it. Off: an endpoint stays in use however many connects to it fail. */
  outlierDetection: oneOf("On", "Off").default("On"),
  weightedWaypoints: optional(list(struct({ destination: gateway, weight: integer(0, maxUint32) })), []),
  subjectAltNames: optional(list(text), []),
  /** Endpoints by uid, besides the workloads that name the service. */
  endpoints: optional(
    mapOf(
      "text as key",
      (key): key is string => typeof key === "string",
      struct({ workloadUid: text, port: portMap, status: oneOf("Healthy", "Unhealthy") }),
    ),
    new Map<string, never>(),
  ),
});

/** How a principal is compared. */
const principalTags = new Map<string, z.ZodType<unknown>>([
  ["!Exact", text],
  ["!Prefix", text],
  ["!Suffix", text],
  ["!Presence", z.array(z.never(), { error: "an empty list" })],
]);
/** The tags that a mesh file may have. */
export const ownTags: ReadonlySet<string> = new Set(principalTags.keys());
const principal = tagged(principalTags);

const texts = optional(list(text), []);
const principals = optional(list(principal), []);
const serviceAccounts = optional(list(struct({ namespace: text, serviceAccount: text })), []);
const prefixes = optional(list(cidrVipFields.cidr), []);
const ports = optional(list(port), []);

/** One condition of a policy's rule. */
export const matchFields = {
  namespaces: texts,
  notNamespaces: texts,
  principals,
  notPrincipals: principals,
  serviceAccounts,
  notServiceAccounts: serviceAccounts,
  sourceIps: prefixes,
  notSourceIps: prefixes,
  destinationIps: prefixes,
  notDestinationIps: prefixes,
  destinationPorts: ports,
  notDestinationPorts: ports,
};

const policy = struct({
  name: text,
  namespace: text,
  scope: oneOf("Global", "Namespace", "WorkloadSelector"),
  action: oneOf("Allow", "Deny"),
  dryRun: boolean,
  rules: list(list(list(openStruct(matchFields)))),
});

/** The whole file. */
export const meshSchema = struct({
  workloads: optional(list(workload), []),
  services: optional(list(service), []),
  policies: optional(list(policy), []),
});

/** A file that follows the schema. */
export type MeshDocument = z.output<typeof meshSchema>;
