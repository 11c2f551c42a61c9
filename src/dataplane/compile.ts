/** What one service asks of the kernel: a pure function of the snapshot and of where the node is. */

import { finish, mapInSteps, type Steps, stepSize } from "../host/mod.ts";
import {
  type AssignedPort,
  type Family,
  familyOf,
  ownerOf,
  ownerOfRange,
  randomChoice,
  rangeKey,
  type Service,
  type ServiceKey,
  type Snapshot,
  vipKey,
} from "../mesh/mod.ts";
import { type Place, tiersOf } from "../locality/mod.ts";
import { compileAssigned } from "./assigned.ts";
import { type Candidate, candidatesOf, type Reach, reachOf } from "./candidate.ts";
import type {
  AsideEndpoints,
  DesiredFrontend,
  DesiredService,
  DesiredServicePort,
  Excluded,
  FrontendTarget,
  RankedEndpoint,
} from "./desired.ts";
import { partOf, type PortContext, servicePortKey } from "./part.ts";

/** Where the node is. VIPs and workloads of other networks are not programmed. */
export type CompileNode = Place;

export interface CompileOptions {
  /** The families to compile for; those of the service's VIPs where left out. */
  readonly families?: readonly Family[];
  /** The service's endpoints that are set aside. */
  readonly aside?: AsideEndpoints;
}

const tcp = 6;
const udp = 17;
const nothingAssigned: AssignedPort = { tiers: [], choice: randomChoice, connectionLimit: null };

/**
 * Compiles one service.
 *
 * Only VIPs and ranges that are on the node's network and that the service owns get frontends. A service that needs a waypoint
 * or has mode Passthrough has no service ports, and its VIPs are left alone. A service port 0 is ignored: nobody
 * connects to it. Endpoints are in tiers by rank (src/locality), nearest first; those that a source assigned itself are in its tiers,
 * and such a service has frontends for TCP to its ports and no others.
 *
 * A workload that takes no part is among `excluded` once for every service port and family, with the first reason
 * that holds in this order: unhealthy, other network, no address of this family, excluded by ipFamilies, target
 * port 0, not local (mode Strict), set aside.
 *
 * @param key of a service that is not in the snapshot everything is empty
 */
export function compileService(
  snapshot: Snapshot,
  key: ServiceKey,
  node: CompileNode,
  options?: CompileOptions,
): DesiredService {
  return finish(compileInSteps(snapshot, key, node, options));
}

/** As `compileService`, bit by bit: a service may have a hundred thousand endpoints. */
export function* compileInSteps(
  snapshot: Snapshot,
  key: ServiceKey,
  node: CompileNode,
  { families: called, aside }: CompileOptions = {},
): Steps<DesiredService> {
  const service = snapshot.services.get(key);
  if (service === undefined) {
    return { service: key, servicePorts: [], frontends: [], excluded: [], left: null };
  }
  const vips = [...ownedVips(snapshot, service, node), ...ownedRanges(snapshot, service, node)];
  const left = reasonToLeave(service);
  if (left !== null) {
    const frontends = vips.map((address) => frontendOfAllPorts(address, { kind: "leave" }));
    return { service: key, servicePorts: [], frontends, excluded: [], left };
  }
  const candidates = yield* candidatesOf(snapshot, key, service);
  const families = called ?? [...new Set(vips.map(familyOf))];
  const compiled: CompiledPort[] = [];
  for (const family of families) {
    const reaches = yield* mapInSteps(candidates, (each) => reachOf(each, service, node, family));
    for (const context of portContexts(service, key, node, family, aside)) {
      compiled.push(
        service.assigned === null
          ? yield* compilePort(context, key, candidates, reaches)
          : yield* compileAssigned(context, key, service.assigned.get(context.port) ?? nothingAssigned),
      );
    }
  }
  const ports = [...service.ports.keys()].filter((port) => port !== 0);
  return {
    service: key,
    servicePorts: compiled.map(({ servicePort }) => servicePort),
    frontends: vips.flatMap((address) =>
      service.assigned === null ? frontendsOf(key, address, ports) : frontendsOfAssigned(key, address, ports)
    ),
    excluded: compiled.flatMap(({ excluded }) => excluded),
    left: null,
  };
}

/** The service's ports for callers of one family. */
export function portContexts(
  service: Service,
  key: ServiceKey,
  node: Place,
  family: Family,
  aside: AsideEndpoints | undefined,
): PortContext[] {
  return [...service.ports].filter(([port]) => port !== 0).map(([port, target]) => ({
    key: servicePortKey(key, port, family),
    service,
    node,
    port,
    target,
    family,
    aside,
  }));
}

/** The ranges that the service owns on this node, as `address/length`. */
function ownedRanges(snapshot: Snapshot, service: Service, node: CompileNode): string[] {
  const ranges = new Set<string>();
  for (const range of service.ranges) {
    if (range.network !== node.network) continue;
    const claimants = snapshot.rangeClaims.get(rangeKey(range)) ?? [];
    const known = claimants.map((key) => snapshot.services.get(key)).filter((each) => each !== undefined);
    if (ownerOfRange(known) === service) ranges.add(`${range.address}/${range.prefixLength}`);
  }
  return [...ranges];
}

/** The addresses of the service's VIPs that are programmed on this node. */
function ownedVips(snapshot: Snapshot, service: Service, node: CompileNode): string[] {
  const addresses = new Set<string>();
  for (const vip of service.vips) {
    if (vip.network !== node.network) continue;
    const claimants = snapshot.claims.get(vipKey(vip)) ?? [];
    const known = claimants.map((key) => snapshot.services.get(key)).filter((each) => each !== undefined);
    if (ownerOf(known) === service) addresses.add(vip.address);
  }
  return [...addresses];
}

function reasonToLeave(service: Service): DesiredService["left"] {
  if (service.needsWaypoint) return "needs waypoint";
  return service.loadBalancer?.mode === "Passthrough" ? "passthrough" : null;
}

interface CompiledPort {
  readonly servicePort: DesiredServicePort;
  readonly excluded: readonly Excluded[];
}

/** @param reaches one for each candidate, in the same order */
function* compilePort(
  context: PortContext,
  service: ServiceKey,
  candidates: readonly Candidate[],
  reaches: readonly Reach[],
): Steps<CompiledPort> {
  const { key, port, family } = context;
  const ranked: RankedEndpoint[] = [];
  const excluded: Excluded[] = [];
  let mapped = 0;
  for (const [i, candidate] of candidates.entries()) {
    const part = partOf(context, candidate, reaches[i]);
    if (part.mapped) mapped++;
    if (part.ranked) ranked.push(part.ranked);
    if (part.excluded) excluded.push({ uid: candidate.workload.uid, port, family, reason: part.excluded });
    if (i % stepSize === stepSize - 1) yield;
  }
  const tiers = tiersOf(ranked).map(({ rank, members }) => {
    const endpoints = members.flatMap(({ endpoint }) => endpoint ? [endpoint] : []);
    return { rank, endpoints, portless: members.length - endpoints.length };
  });
  return {
    servicePort: { key, service, port, family, mapped, tiers, choice: randomChoice, connectionLimit: null },
    excluded,
  };
}

function frontendOfAllPorts(address: string, target: FrontendTarget): DesiredFrontend {
  return { address, port: 0, protocol: 0, target };
}

/** TCP only; a range needs something that says what becomes of its other ports, a VIP does not. */
function frontendsOfAssigned(
  service: ServiceKey,
  address: string,
  ports: readonly number[],
): DesiredFrontend[] {
  const listed = ports.map((port): DesiredFrontend => {
    const key = servicePortKey(service, port, familyOf(address));
    return { address, port, protocol: tcp, target: { kind: "servicePort", key } };
  });
  return address.includes("/") ? [frontendOfAllPorts(address, { kind: "leave" }), ...listed] : listed;
}

function frontendsOf(service: ServiceKey, address: string, ports: readonly number[]): DesiredFrontend[] {
  const frontends = [frontendOfAllPorts(address, { kind: "unlisted" })];
  for (const port of ports) {
    const target: FrontendTarget = {
      kind: "servicePort",
      key: servicePortKey(service, port, familyOf(address)),
    };
    frontends.push({ address, port, protocol: tcp, target }, { address, port, protocol: udp, target });
  }
  return frontends;
}
