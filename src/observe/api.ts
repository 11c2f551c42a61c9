/**
 * What the agent tells over its UNIX socket, as zod schemas: the server builds these values, the client checks them, and
 * `-o json` prints them. GET `/status`, `/services`, `/workloads`, `/endpoints?service=NAMESPACE/HOSTNAME`,
 * `/explain?to=ADDRESS:PORT&protocol=TCP`, `/records`, `/resources?type=COLLECTION`; `/metrics` answers in the Prometheus text format.
 * Lists of services and workloads stand in no order, and are sent while they are made.
 */

import { z } from "zod";
import { lbPolicies } from "../mesh/lb_policy.ts";

const count = z.number().int().nonnegative();

/** One hook's pinned link. */
export const programStatus = z.object({
  hook: z.string(),
  /** `severed`: the cgroup that the link was on is gone. `elsewhere`: the link is on another cgroup. */
  state: z.enum(["attached", "severed", "elsewhere", "missing"]),
  programId: count.nullable(),
  linkId: count.nullable(),
});

export const mapStatus = z.object({
  name: z.string(),
  /** Entries in use; `null` where nobody counts them. */
  used: count.nullable(),
  size: count,
  /** Charged kernel memory. */
  bytes: count,
});

/** The stream to a control plane, and what was received on it. */
export const controlPlaneStatus = z.object({
  address: z.string(),
  mode: z.enum(["workload", "ads"]),
  connected: z.boolean(),
  /** Since when it is connected, or is not. */
  since: z.string(),
  /** Streams since the start of the agent. */
  streams: count,
  /** Why the last stream ended, until a later one has brought something. */
  error: z.string().nullable(),
  /** Something of every type has come: only from then on does the agent change the kernel. */
  complete: z.boolean(),
  types: z.array(z.object({
    type: z.string(),
    resources: count,
    /** Of the newest response that was accepted. */
    version: z.string(),
    responses: count,
    /** Responses that were rejected, as a whole or in part. */
    nacks: count,
    /** Resources that are refused now. */
    rejected: count,
    lastReceived: z.string().nullable(),
    /** How long the newest response took to be read, and to be put into the store. */
    decodeMs: z.number().optional(),
    storeMs: z.number().optional(),
  })),
  /** The first thousand resources that are refused now; their last good version is in force. */
  rejected: z.array(z.object({
    type: z.string(),
    name: z.string(),
    version: z.string(),
    reason: z.string(),
    at: z.string(),
  })),
});
export type ControlPlaneStatus = z.infer<typeof controlPlaneStatus>;

export const statusResponse = z.object({
  /** The programs are attached and the first configuration is in the kernel. */
  ready: z.boolean(),
  agent: z.object({
    pid: count,
    version: z.string(),
    startedAt: z.string(),
    source: z.string(),
    /** Where the node is. */
    network: z.string(),
    node: z.string(),
    clusterId: z.string(),
    region: z.string(),
    zone: z.string(),
    subzone: z.string(),
  }).nullable(),
  pinRoot: z.string(),
  cgroup: z.string(),
  programs: z.array(programStatus),
  maps: z.array(mapStatus),
  counters: z.record(z.string(), count),
  mesh: z.object({ services: count, workloads: count, policies: count }).nullable(),
  /** `null` where the source is a file. */
  controlPlane: controlPlaneStatus.nullable(),
  flushes: count,
  lastFlush: z.object({
    at: z.string(),
    services: count,
    endpointsWritten: count,
    recordsPublished: count,
    durationMs: z.number().nonnegative(),
  }).nullable(),
  /** Endpoints that are set aside as connects to them fail, and what was done since the agent's start; `null`: it is off. */
  outliers: z.object({
    aside: count,
    setAside: count,
    letIn: count,
    /** Endpoints that were to be set aside, but too many of their tier were. */
    shareReached: count,
  }).nullable(),
  /** Services that are not balanced yet because they need a waypoint. */
  needsWaypoint: z.array(z.string()),
  errors: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type StatusResponse = z.infer<typeof statusResponse>;

const lbPolicy = z.enum(lbPolicies);

/** The most TCP connections that the node may have to a cluster, and how many there are now, by the kernel's own count. */
export const connectionLimitView = z.object({
  /** Service ports that name the same cluster share the limit. */
  cluster: z.string(),
  max: count,
  active: count,
});

/** A service port: how its endpoints are chosen, and what limits its connections. */
export const portView = z.object({ port: count, lbPolicy, connectionLimit: connectionLimitView.nullable() });
export type PortView = z.infer<typeof portView>;

export const serviceView = z.object({
  service: z.string(),
  vips: z.array(z.string()),
  ports: z.array(portView.extend({ targetPort: count })),
  /** Endpoints that may be chosen, and all members; of the first port where they differ by port. */
  usable: count,
  members: count,
  connections: count,
  refused: count,
  /** Why it is not balanced, or what else deserves a word. */
  note: z.string(),
});
export const servicesResponse = z.array(serviceView);
export type ServiceView = z.infer<typeof serviceView>;

export const workloadView = z.object({
  uid: z.string(),
  addresses: z.array(z.string()),
  network: z.string(),
  node: z.string(),
  locality: z.string(),
  status: z.enum(["Healthy", "Unhealthy"]),
  capacity: count,
  services: z.array(z.string()),
});
export const workloadsResponse = z.array(workloadView);
export type WorkloadView = z.infer<typeof workloadView>;

export const endpointView = z.object({
  port: count,
  family: z.enum(["IPv4", "IPv6"]),
  uid: z.string(),
  /** `address:port`; empty where the workload is kept out. */
  endpoint: z.string(),
  weight: count,
  health: z.enum(["Healthy", "Unhealthy"]),
  /** From 0, the nearest; `null` for those kept out. */
  tier: count.nullable(),
  /** Of the connections to this port and family, 0..1. */
  share: z.number().min(0).max(1),
  /** While it was in use; where it was set aside, before and after. */
  connections: count,
  /** `serving`, or why not. */
  state: z.string(),
  /** Whether it is set aside, as connects to it failed. */
  setAside: z.object({
    /** ISO 8601. */
    until: z.string(),
    /** Failed connects in a row, and how the last one failed. */
    failures: count,
    how: z.string(),
    /** How often in a row it was set aside. */
    times: count,
  }).nullable(),
});
export const endpointsResponse = z.object({
  service: z.string(),
  note: z.string(),
  ports: z.array(portView),
  endpoints: z.array(endpointView),
});
export type EndpointsResponse = z.infer<typeof endpointsResponse>;

export const explainResponse = z.object({
  outcome: z.enum(["endpoints", "none", "passthrough", "unknown"]),
  reason: z.string(),
  service: z.string().nullable(),
  mode: z.string().nullable(),
  /** These three of the service port, where one takes the connection. */
  lbPolicy: lbPolicy.nullable(),
  connectionLimit: connectionLimitView.nullable(),
  refused: count.nullable(),
  /** Where the node is. */
  node: z.object({
    network: z.string(),
    region: z.string(),
    zone: z.string(),
    subzone: z.string(),
    node: z.string(),
    clusterId: z.string(),
  }),
  endpoints: z.array(z.object({
    uid: z.string(),
    address: z.string(),
    port: count,
    tier: count,
    share: z.string(),
  })),
  standby: z.array(z.object({ uid: z.string(), address: z.string(), port: count, tier: count })),
  excluded: z.array(z.object({ uid: z.string(), reason: z.string() })),
});

export const recordsResponse = z.object({
  /** Of map records; a slot is allocated when it holds an inner map, and used when that is a record. */
  slots: z.object({ used: count, allocated: count, size: count }),
  /** Kernel memory of all inner maps. */
  bytes: count,
  /** Shares of used / allocated at which a class grows and shrinks. */
  watermarks: z.object({ growAt: z.number(), shrinkAt: z.number() }),
  classes: z.array(z.object({
    /** Entries that a record of the class has room for. */
    capacity: count,
    used: count,
    allocated: count,
    highestSlot: count,
    /** Slots are added and freed in multiples of it. */
    step: count,
    bytes: count,
  })),
  /** Since the agent's start. */
  counts: z.object({
    fromSpares: count,
    bursts: count,
    burstRecords: count,
    grown: count,
    shrunk: count,
    repaired: count,
  }),
  /** Why something off the flush path failed last. */
  error: z.string().nullable(),
});
export type RecordsResponse = z.infer<typeof recordsResponse>;

/** What a control plane said: beside these keys each collection, by resource name or as a list. */
export const resourcesResponse = z.looseObject({
  meta: z.record(z.string(), z.record(z.string(), z.object({ version: z.string(), receivedAt: z.string() }))),
  rejected: z.array(z.object({
    typeUrl: z.string(),
    name: z.string(),
    version: z.string(),
    reason: z.string(),
    at: z.string(),
  })),
});
export type ResourcesResponse = z.infer<typeof resourcesResponse>;

export const errorResponse = z.object({ error: z.string(), remedy: z.string() });
