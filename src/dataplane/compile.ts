/** What one service asks of the kernel: a pure function of the snapshot and of where the node is. */

import {
  type Family,
  familyOf,
  ownerOf,
  ownerOfRange,
  type PortMap,
  rangeKey,
  type Service,
  type ServiceKey,
  type Snapshot,
  vipKey,
  type Workload,
} from "../mesh/mod.ts";
import { type Place, placeOf, tiersOf } from "../locality/mod.ts";
import type {
  DesiredEndpoint,
  DesiredFrontend,
  DesiredService,
  DesiredServicePort,
  Excluded,
  ExclusionReason,
  FrontendTarget,
} from "./desired.ts";

/** Where the node is. VIPs and workloads of other networks are not programmed. */
export type CompileNode = Place;

const tcp = 6;
const udp = 17;

/**
 * Compiles one service.
 *
 * Only VIPs and ranges that are on the node's network and that the service owns get frontends. A service that needs a waypoint
 * or has mode Passthrough has no service ports, and its VIPs are left alone. A service port 0 is ignored: nobody
 * connects to it. Endpoints are in tiers by rank (src/locality), nearest first.
 *
 * A workload that takes no part is among `excluded` once for every service port and family, with the first reason
 * that holds in this order: unhealthy, other network, no address of this family, excluded by ipFamilies, target
 * port 0, not local (mode Strict).
 *
 * @param key of a service that is not in the snapshot everything is empty
 * @param called the families to compile for; those of its VIPs where left out
 */
export function compileService(
  snapshot: Snapshot,
  key: ServiceKey,
  node: CompileNode,
  called?: readonly Family[],
): DesiredService {
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
  const candidates = candidatesOf(snapshot, key, service);
  const ports = [...service.ports].filter(([port]) => port !== 0);
  const families = called ?? [...new Set(vips.map(familyOf))];
  const compiled = families.flatMap((family) => {
    const reaches = candidates.map((candidate) => reachOf(candidate, service, node, family));
    return ports.map(([port, target]) =>
      compilePort({ key, service, node, port, target, family, candidates, reaches })
    );
  });
  return {
    service: key,
    servicePorts: compiled.map(({ servicePort }) => servicePort),
    frontends: vips.flatMap((address) => frontendsOf(key, address, ports.map(([port]) => port))),
    excluded: compiled.flatMap(({ excluded }) => excluded),
    left: null,
  };
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

/** A workload that the service may use. */
interface Candidate {
  readonly workload: Workload;
  /** The mapping that holds for it: its own, or the one written in the service. */
  readonly ports: PortMap;
  /** Its health leaves it out. */
  readonly unhealthy: boolean;
}

/**
 * The service's members and the known workloads that its own `endpoints` name, each workload once: a member that
 * its health does not leave out counts as the workload says; any other as the service says, if it says anything,
 * and then whatever its health.
 */
function candidatesOf(snapshot: Snapshot, key: ServiceKey, service: Service): readonly Candidate[] {
  const anyHealth = service.loadBalancer?.healthPolicy === "AllowAll";
  const candidates = new Map<string, Candidate>();
  for (const { workloadUid, ports } of service.endpoints) {
    const workload = snapshot.workloads.get(workloadUid);
    if (workload !== undefined) candidates.set(workloadUid, { workload, ports, unhealthy: false });
  }
  for (const workload of snapshot.members.get(key)?.values() ?? []) {
    const unhealthy = !anyHealth && workload.status !== "Healthy";
    if (unhealthy && candidates.has(workload.uid)) continue;
    candidates.set(workload.uid, { workload, ports: workload.services.get(key) ?? new Map(), unhealthy });
  }
  return [...candidates.values()];
}

/** Where callers of one family reach a candidate, or why they do not. */
type Reach = { readonly address: string } | { readonly reason: ExclusionReason };

function reachOf(candidate: Candidate, service: Service, node: CompileNode, family: Family): Reach {
  const { workload, unhealthy } = candidate;
  if (unhealthy) return { reason: "unhealthy" };
  if (workload.network !== node.network) return { reason: "other network" };
  const address = workload.addresses.find((each) => familyOf(each) === family);
  if (address === undefined) return { reason: "no address of this family" };
  const excluded = service.ipFamilies === (family === 4 ? "IPv6" : "IPv4");
  return excluded ? { reason: "excluded by ipFamilies" } : { address };
}

interface CompiledPort {
  readonly servicePort: DesiredServicePort;
  readonly excluded: readonly Excluded[];
}

interface PortParts {
  readonly key: ServiceKey;
  readonly service: Service;
  readonly node: CompileNode;
  readonly port: number;
  /** The service's own target port, for candidates without a mapping. */
  readonly target: number;
  readonly family: Family;
  readonly candidates: readonly Candidate[];
  /** One for each candidate, in the same order. */
  readonly reaches: readonly Reach[];
}

function compilePort(
  { key, service, node, port, target, family, candidates, reaches }: PortParts,
): CompiledPort {
  const ranked: { readonly place: Workload; readonly endpoint: DesiredEndpoint | undefined }[] = [];
  const excluded: Excluded[] = [];
  const exclude = (uid: string, reason: ExclusionReason) => excluded.push({ uid, port, family, reason });
  let mapped = false;
  candidates.forEach(({ workload, ports }, i) => {
    const { uid, capacity } = workload;
    const reach = reaches[i];
    const own = ports.get(port);
    // An own mapping counts even if it is 0.
    const targetPort = own ?? target;
    if (targetPort !== 0) mapped = true;
    if ("reason" in reach) return exclude(uid, reach.reason);
    if (targetPort === 0) {
      exclude(uid, "target port 0");
      // One that maps the port to 0 itself has its rank all the same, and keeps farther tiers back (worked answers, case 001).
      if (own === 0 && isRanked(service)) ranked.push({ place: workload, endpoint: undefined });
      return;
    }
    const { address } = reach;
    const key = `${uid}|${address}|${targetPort}`;
    ranked.push({ place: workload, endpoint: { key, uid, address, port: targetPort, weight: capacity } });
  });
  const { tiers, notLocal } = tiersOf(node, service.loadBalancer, ranked, ({ place }) => placeOf(place));
  for (const { endpoint } of notLocal) if (endpoint) exclude(endpoint.uid, "not local");
  const servicePort = {
    key: servicePortKey(key, port, family),
    service: key,
    port,
    family,
    mapped,
    tiers: tiers.map((tier) => ({
      endpoints: tier.flatMap(({ endpoint }) => endpoint ? [endpoint] : []),
    })),
  };
  return { servicePort, excluded };
}

/** Whether it matters to a service where the node and its endpoints are. */
export function isRanked({ loadBalancer }: Service): boolean {
  return loadBalancer?.mode === "Strict" || loadBalancer?.mode === "Failover";
}

function servicePortKey(service: ServiceKey, port: number, family: Family): string {
  return `${service}|${port}|${family}`;
}

function frontendOfAllPorts(address: string, target: FrontendTarget): DesiredFrontend {
  return { address, port: 0, protocol: 0, target };
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
