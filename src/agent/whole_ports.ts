/** Services as they would be if nothing of them were set aside, kept up with the mesh at the cost of what changes. */

import {
  compileEdit,
  compileService,
  type DesiredEndpoint,
  type DesiredServicePort,
  endpointKey,
  type RankedEndpoint,
  type ServicePortEdit,
} from "../dataplane/mod.ts";
import type { Place } from "../locality/mod.ts";
import { changedServices, type ServiceKey, type Snapshot } from "../mesh/mod.ts";
import type { WholePort } from "../outlier_detection/mod.ts";

/** What a service's ports are; they may change when it is asked again. None for a service that there is not. */
export type WholePorts = (snapshot: Snapshot, key: ServiceKey, place: Place) => readonly WholePort[];

interface Tier {
  readonly rank: number;
  readonly endpoints: DesiredEndpoint[];
  portless: number;
  /** Where each endpoint is, by its key. */
  readonly positions: Map<string, number>;
}

interface Port extends Omit<WholePort, "tiers"> {
  /** Nearest first. */
  tiers: Tier[];
}

interface Known {
  readonly snapshot: Snapshot;
  readonly place: Place;
  readonly ports: ReadonlyMap<string, Port>;
}

/** How many services are remembered: more than ever fail at a time. */
const mostRemembered = 100;

/**
 * Remembers the services that it was asked for last. Where only members have changed since, it looks at no others: all other changes
 * compile the service anew.
 */
export function createWholePorts(): WholePorts {
  const remembered = new Map<ServiceKey, Known>();
  const changes = rememberChanges();
  return (snapshot, key, place) => {
    if (!snapshot.services.has(key)) {
      remembered.delete(key);
      return [];
    }
    const before = remembered.get(key);
    const change = before?.place === place ? changes(before.snapshot, snapshot).get(key) : "service";
    const ports = before && change !== "service" && follow(before, snapshot, key) ||
      compile(snapshot, key, place);
    if (!before && remembered.size >= mostRemembered) remembered.clear();
    remembered.set(key, { snapshot, place, ports });
    return [...ports.values()];
  };
}

function compile(snapshot: Snapshot, key: ServiceKey, place: Place): ReadonlyMap<string, Port> {
  const { servicePorts } = compileService(snapshot, key, place);
  return new Map(servicePorts.map((port) => [port.key, open(port)]));
}

function open({ key, service, port, family, tiers }: DesiredServicePort): Port {
  const opened = tiers.map(({ rank, endpoints, portless }): Tier => ({
    rank,
    endpoints: [...endpoints],
    portless,
    positions: new Map(endpoints.map((endpoint, position) => [endpointKey(endpoint), position])),
  }));
  return { key, service, port, family, tiers: opened };
}

/** What changed between two snapshots: asked for many services, one after the other. */
function rememberChanges(): typeof changedServices {
  let last: { readonly before: Snapshot; readonly after: Snapshot } | undefined;
  let changes: ReturnType<typeof changedServices> = new Map();
  return (before, after) => {
    if (last?.before !== before || last.after !== after) changes = changedServices(before, after);
    last = { before, after };
    return changes;
  };
}

/** Where at most members have changed. `undefined`: members do not stand alone in this service. */
function follow(
  { snapshot: before, place, ports }: Known,
  snapshot: Snapshot,
  key: ServiceKey,
): Known["ports"] | undefined {
  if (before === snapshot) return ports;
  const nobody = new Map();
  const edit = compileEdit(
    { snapshot: before, place, aside: nobody },
    { snapshot, place, aside: nobody },
    key,
  );
  if (edit === undefined) return undefined;
  for (const one of edit.edits) {
    // Of a family of which the service owns no VIP there is none.
    const port = ports.get(one.key);
    if (port) apply(port, one);
  }
  return ports;
}

function apply(port: Port, { removed, added }: ServicePortEdit): void {
  const tiers = new Map(port.tiers.map((tier) => [tier.rank, tier]));
  for (const one of removed) remove(tiers.get(one.rank)!, one);
  for (const one of added) {
    const tier = tiers.get(one.rank) ?? { rank: one.rank, endpoints: [], portless: 0, positions: new Map() };
    tiers.set(one.rank, tier);
    add(tier, one);
  }
  port.tiers = [...tiers.values()].filter(({ endpoints, portless }) => endpoints.length + portless > 0)
    .sort((a, b) => b.rank - a.rank);
}

function add(tier: Tier, { endpoint }: RankedEndpoint): void {
  if (endpoint === null) {
    tier.portless++;
    return;
  }
  tier.positions.set(endpointKey(endpoint), tier.endpoints.length);
  tier.endpoints.push(endpoint);
}

/** The last one takes its place. */
function remove(tier: Tier, { endpoint }: RankedEndpoint): void {
  if (endpoint === null) {
    tier.portless--;
    return;
  }
  const key = endpointKey(endpoint);
  const position = tier.positions.get(key)!;
  tier.positions.delete(key);
  const last = tier.endpoints.pop()!;
  const lastKey = endpointKey(last);
  if (lastKey === key) return;
  tier.endpoints[position] = last;
  tier.positions.set(lastKey, position);
}
