/** What the agent tells: names from its snapshot, everything else from the kernel. */

import {
  type AppliedEndpoint,
  type AppliedService,
  type AppliedServicePort,
  type AsideEndpoints,
  asideKey,
  compileService,
  type Controller,
  type Datapath,
  type DesiredEndpoint,
  type DesiredService,
  type DesiredServicePort,
  endpointKey,
  nearestTier,
} from "../dataplane/mod.ts";
import { mapInSteps } from "../host/mod.ts";
import { formatAddressPort, type Health, type Service, type Snapshot, type Workload } from "../mesh/mod.ts";
import type { EndpointsResponse, ServiceView, WorkloadView } from "../observe/api.ts";
import { readRecord } from "../records/mod.ts";
import { kernelShares } from "./kernel_shares.ts";
import { portView } from "./port_view.ts";
import type { Outliers } from "./outliers.ts";

/** The endpoints of all tiers. */
function rowsOf({ tiers }: AppliedServicePort): AppliedEndpoint[] {
  return [...tiers.values()].flatMap(({ rows }) => rows);
}

/** Every endpoint index of a service, each once. */
function indexesOf(service: AppliedService | undefined): number[] {
  const rows = [...service?.servicePorts.values() ?? []].flatMap(rowsOf);
  return [...new Set(rows.map((row) => row.index))];
}

/** What the applied snapshot asks of the kernel for one service. */
function compiled({ state }: Controller, key: string): DesiredService | undefined {
  const { applied, place, aside } = state;
  return place && compileService(applied, key, place, { aside: aside.get(key) });
}

/** @param desired of this service; asked for only where the note depends on it */
function noteOf(
  service: Service,
  applied: AppliedService | undefined,
  network: string,
  desired: () => DesiredService | undefined,
): string {
  if (service.needsWaypoint) return "needs waypoint";
  if (service.loadBalancer?.mode === "Passthrough") return "passthrough";
  if (service.visibility === "Namespace") return "visible in its namespace only: not served";
  const all = [
    ...service.vips,
    ...service.ranges.map((range) => ({ ...range, address: `${range.address}/${range.prefixLength}` })),
  ];
  const here = all.filter((one) => one.network === network).map(({ address }) => address);
  if (here.length === 0) return all.length === 0 ? "no VIP" : "no VIP on this network";
  const owned = new Set(applied?.frontends.values().map(({ frontend }) => frontend.address));
  const lost = here.filter((address) => !owned.has(address));
  if (lost.length > 0) return `another service owns ${lost.join(", ")}`;
  if (service.loadBalancer?.mode !== "Strict") return "";
  if (!applied?.servicePorts.values().some(({ ranks }) => ranks.size === 0)) return "";
  const { servicePorts = [], excluded = [] } = desired() ?? {};
  const refused = servicePorts.some((port) =>
    port.tiers.length === 0 &&
    excluded.some((one) => one.reason === "not local" && one.port === port.port && one.family === port.family)
  );
  return refused ? "refused: strict, no local endpoint" : "";
}

/**
 * One row a service, made when it is asked for; `undefined` while its connections are being counted. A service that comes or goes while
 * others are told may have one or not.
 */
export function* serviceViews(
  datapath: Datapath,
  controller: Controller,
  outliers: Outliers | undefined,
  network: string,
): Generator<ServiceView | undefined> {
  for (const key of controller.state.applied.services.keys()) {
    const indexes = indexesOf(datapath.applied.services.get(key));
    // Maps may be replaced by larger ones meanwhile.
    const hits = yield* mapInSteps(
      indexes,
      (index) => Number(datapath.maps?.endpointHits.lookup(index) ?? 0n),
    );
    const snapshot = controller.state.applied;
    const service = snapshot.services.get(key);
    if (service === undefined) continue;
    const applied = datapath.applied.services.get(key);
    const ports = [...applied?.servicePorts.values() ?? []];
    yield {
      service: key,
      vips: service.vips.map((vip) => vip.network ? `${vip.network}/${vip.address}` : vip.address),
      ports: [...service.ports].map(([port, targetPort]) => ({
        ...portView(datapath, service, port),
        targetPort,
      })),
      usable: Math.max(0, ...ports.map((port) => nearestTier(port)?.rows.length ?? 0)),
      members: service.assigned === null
        ? snapshot.members.get(key)?.size ?? 0
        : Math.max(0, ...[...service.assigned.values()].map(({ tiers }) => tiers.flat().length)),
      connections: sum(hits) + (outliers?.earlier(key) ?? 0),
      refused: sum(ports.map((port) => Number(datapath.maps?.refusals.lookup(port.id) ?? 0n))),
      note: noteOf(service, applied, network, () => compiled(controller, key)),
    };
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** One row a workload, made when it is asked for. */
export function workloadViews(snapshot: Snapshot): Iterable<WorkloadView> {
  return snapshot.workloads.values().map((workload: Workload) => {
    const { network, node, locality: { region, zone, subzone } } = workload.traits;
    return {
      uid: workload.uid,
      addresses: [...workload.addresses],
      network,
      node,
      locality: [region, zone, subzone].join("/").replace(/\/+$/, ""),
      status: workload.status,
      capacity: workload.capacity,
      services: [...workload.services.keys()],
    };
  });
}

/**
 * The endpoints of one service: which of them the kernel chooses and how often, and who is kept out and why.
 *
 * @param name `namespace/hostname`, or what identifies one service alone: its hostname or its name
 */
export function endpointViews(
  datapath: Datapath,
  controller: Controller,
  outliers: Outliers | undefined,
  name: string,
  network: string,
): EndpointsResponse | undefined {
  const snapshot = controller.state.applied;
  const key = findService(snapshot, name);
  if (key === undefined) return undefined;
  const applied = datapath.applied.services.get(key);
  const service = snapshot.services.get(key)!;
  // With those that are set aside: they keep their place in the tiers, and have a row as all others.
  const { place } = controller.state;
  const whole = place && compileService(snapshot, key, place);
  const about = { datapath, outliers, snapshot, aside: controller.state.aside.get(key) };
  const rows = whole?.servicePorts.flatMap((port) => {
    const placed = applied?.servicePorts.get(port.key);
    return placed ? portRows(about, port, placed) : [];
  });
  const excluded = whole?.excluded.map((one) => ({
    port: one.port,
    family: familyName(one.family),
    uid: one.uid,
    endpoint: "",
    weight: snapshot.workloads.get(one.uid)?.capacity ?? 0,
    health: healthOf(snapshot, one.uid),
    tier: null,
    share: 0,
    connections: 0,
    state: `kept out: ${one.reason}`,
    setAside: null,
  }));
  return {
    service: key,
    note: noteOf(service, applied, network, () => compiled(controller, key)),
    ports: [...service.ports.keys()].map((port) => portView(datapath, service, port)),
    endpoints: [...rows ?? [], ...excluded ?? []],
  };
}

function familyName(family: 4 | 6): "IPv4" | "IPv6" {
  return family === 4 ? "IPv4" : "IPv6";
}

/** What the rows of one service are made of. */
interface RowParts {
  readonly datapath: Datapath;
  readonly outliers: Outliers | undefined;
  readonly snapshot: Snapshot;
  /** Those that the kernel leaves out. */
  readonly aside: AsideEndpoints | undefined;
}

function portRows(
  { datapath: { maps }, outliers, snapshot, aside }: RowParts,
  port: DesiredServicePort,
  placed: AppliedServicePort,
): EndpointsResponse["endpoints"] {
  const inKernel = maps?.services.lookup(placed.id);
  const record = maps && inKernel && inKernel.tier.count !== 0
    ? readRecord(maps.records, inKernel.tier.slot)
    : undefined;
  const shares = inKernel && record ? kernelShares(inKernel, record.entries) : new Map<number, number>();
  const indexes = new Map(rowsOf(placed).map((row) => [endpointKey(row), row.index]));
  const isAside = (endpoint: DesiredEndpoint) =>
    aside?.has(asideKey(port.key, endpointKey(endpoint))) ?? false;
  // A tier is left behind only when all of it is set aside.
  const nearest = port.tiers.findIndex(({ endpoints, portless }) =>
    portless > 0 || !endpoints.every(isAside)
  );
  return port.tiers.flatMap(({ endpoints }, tier) =>
    endpoints.map((endpoint) => {
      const index = indexes.get(endpointKey(endpoint));
      const share = index === undefined ? 0 : shares.get(index) ?? 0;
      const setAside = isAside(endpoint) ? asideView(outliers, port.key, endpointKey(endpoint)) : null;
      const hits = index === undefined ? 0 : Number(maps?.endpointHits.lookup(index) ?? 0n);
      return {
        port: port.port,
        family: familyName(port.family),
        uid: endpoint.uid,
        endpoint: formatAddressPort(endpoint.address, endpoint.port),
        weight: endpoint.weight,
        health: healthOf(snapshot, endpoint.uid),
        tier,
        share: Math.min(1, share),
        connections: hits + (outliers?.earlier(port.service, asideKey(port.key, endpointKey(endpoint))) ?? 0),
        state: isAside(endpoint) ? "set aside" : stateOf(endpoint.weight, tier > nearest, share),
        setAside,
      };
    })
  );
}

function healthOf(snapshot: Snapshot, uid: string): Health {
  return snapshot.workloads.get(uid)?.status ?? "Healthy";
}

/** `null` where it is about to be let back in. */
function asideView(
  outliers: Outliers | undefined,
  port: string,
  endpoint: string,
): EndpointsResponse["endpoints"][number]["setAside"] {
  const found = outliers?.find(port, endpoint);
  if (!found?.outlier.aside) return null;
  const { outlier: { aside: { why }, times }, until } = found;
  return { until: until.toISOString(), failures: why.inARow, how: why.how, times };
}

function stateOf(weight: number, isFarther: boolean, share: number): string {
  if (weight === 0) return "capacity 0: never chosen";
  if (isFarther) return "standby";
  return share > 0 ? "serving" : "not in the kernel";
}

function findService(snapshot: Snapshot, name: string): string | undefined {
  if (snapshot.services.has(name)) return name;
  const matches = [...snapshot.services.entries()]
    .filter(([, service]) => service.hostname === name || service.name === name)
    .map(([key]) => key);
  return matches.length === 1 ? matches[0] : undefined;
}
