/** The state machine: what is remembered, what happens, and when, give what is remembered then. It touches nothing else. */

import { type DesiredServicePort, endpointKey } from "../dataplane/desired.ts";
import type { ServiceKey } from "../mesh/model.ts";
import type { Failing, Outlier, OutlierState, PortOutliers } from "./outlier.ts";
import { ejectionMs, type OutlierSettings } from "./settings.ts";
import { choosableOf, lastTier, mostAside } from "./share.ts";

/** A service port with all its endpoints, also those that are set aside. */
export type WholePort = Omit<DesiredServicePort, "mapped" | "choice" | "connectionLimit">;

export type OutlierEvent =
  /** An endpoint (`endpointKey`) has failed so often that it is to be set aside, if that may be. */
  | {
    readonly kind: "failing";
    readonly port: WholePort;
    readonly endpoint: string;
    readonly why: Failing;
  }
  /** A service has these ports now: none where it is gone, or nothing of it is to be set aside any more. */
  | { readonly kind: "service"; readonly service: ServiceKey; readonly ports: readonly WholePort[] }
  /** Time has passed. */
  | { readonly kind: "time" };

/**
 * @param now milliseconds of a clock that only goes forward
 * @returns the very same state where nothing changed
 */
export function step(
  state: OutlierState,
  event: OutlierEvent,
  now: number,
  settings: OutlierSettings,
): OutlierState {
  switch (event.kind) {
    case "failing":
      return setAside(state, event, now, settings);
    case "service":
      return adapt(state, event, now, settings);
    case "time":
      return letTimePass(state, now, settings);
  }
}

/** The state with other endpoints for one port; a port without any is not in it. */
function withPort(state: OutlierState, key: string, port: PortOutliers): OutlierState {
  const next = new Map(state);
  if (port.endpoints.size === 0) next.delete(key);
  else next.set(key, port);
  return next;
}

function setAside(
  state: OutlierState,
  { port, endpoint: key, why }: Extract<OutlierEvent, { kind: "failing" }>,
  now: number,
  settings: OutlierSettings,
): OutlierState {
  const known = state.get(port.key)?.endpoints ?? new Map<string, Outlier>();
  const before = known.get(key);
  const tier = port.tiers.findIndex((tier) =>
    choosableOf(tier).some((endpoint) => endpointKey(endpoint) === key)
  );
  if (tier === -1 || before?.aside) return state;
  const last = lastTier(port.tiers);
  // Nobody comes to a tier behind the last one.
  if (tier > last || tier === last && roomIn(port, last, known, settings) <= 0) return state;
  const times = timesAfter(before?.times ?? 0, settings);
  const endpoint = port.tiers[tier].endpoints.find((endpoint) => endpointKey(endpoint) === key)!;
  const outlier = { endpoint, times, since: now, aside: { until: now + ejectionMs(times, settings), why } };
  return withPort(state, port.key, {
    service: port.service,
    port: port.port,
    family: port.family,
    endpoints: new Map([...known, [key, outlier]]),
  });
}

/** Once more, but not so often that it would say no more than it does: else it would take long to go down. */
function timesAfter(times: number, settings: OutlierSettings): number {
  const longer = times === 0 || ejectionMs(times + 1, settings) > ejectionMs(times, settings);
  return longer ? times + 1 : times;
}

/** How many more of a tier may be set aside; negative where too many are. */
function roomIn(
  { tiers }: WholePort,
  number: number,
  known: ReadonlyMap<string, Outlier>,
  { maxEjectionPercent }: OutlierSettings,
): number {
  const choosable = choosableOf(tiers[number]);
  const aside = choosable.filter((endpoint) => known.get(endpointKey(endpoint))?.aside).length;
  return mostAside(choosable.length, maxEjectionPercent) - aside;
}

/** Forgets endpoints that are gone, and lets some back in where too many are aside of what is the last tier now. */
function adapt(
  state: OutlierState,
  { service, ports }: Extract<OutlierEvent, { kind: "service" }>,
  now: number,
  settings: OutlierSettings,
): OutlierState {
  const wholePorts = new Map(ports.map((port) => [port.key, port]));
  let next = state;
  for (const [key, known] of state) {
    if (known.service !== service) continue;
    const port = wholePorts.get(key);
    const endpoints = port ? adaptPort(port, known.endpoints, now, settings) : new Map<string, Outlier>();
    if (endpoints !== known.endpoints) next = withPort(next, key, { ...known, endpoints });
  }
  return next;
}

function adaptPort(
  port: WholePort,
  known: ReadonlyMap<string, Outlier>,
  now: number,
  settings: OutlierSettings,
): ReadonlyMap<string, Outlier> {
  const present = new Set(port.tiers.flatMap(choosableOf).map(endpointKey));
  const gone = [...known.keys()].filter((key) => !present.has(key));
  const left = new Map(known);
  for (const key of gone) left.delete(key);
  const last = lastTier(port.tiers);
  const tooMany = last === -1 ? 0 : Math.max(0, -roomIn(port, last, left, settings));
  if (gone.length + tooMany === 0) return known;
  const inLast = last === -1 ? [] : port.tiers[last].endpoints.flatMap((endpoint) => {
    const key = endpointKey(endpoint);
    const outlier = left.get(key);
    return outlier?.aside ? [{ key, outlier, until: outlier.aside.until }] : [];
  });
  // Those whose time is over first.
  inLast.sort((a, b) => a.until - b.until);
  for (const { key, outlier } of inLast.slice(0, tooMany)) left.set(key, letIn(outlier, now));
  return left;
}

function letIn(outlier: Outlier, now: number): Outlier {
  return { ...outlier, since: now, aside: null };
}

function letTimePass(state: OutlierState, now: number, settings: OutlierSettings): OutlierState {
  let next = state;
  for (const [key, port] of state) {
    const after = new Map<string, Outlier>();
    let changed = false;
    for (const [endpoint, outlier] of port.endpoints) {
      const older = grownOlder(outlier, now, settings);
      changed ||= older !== outlier;
      if (older) after.set(endpoint, older);
    }
    if (changed) next = withPort(next, key, { ...port, endpoints: after });
  }
  return next;
}

/** What becomes of an endpoint by time alone; `undefined` where it is as if nothing had been. */
function grownOlder(outlier: Outlier, now: number, { baseEjectionMs }: OutlierSettings): Outlier | undefined {
  const { aside, since, times } = outlier;
  if (aside) return aside.until <= now ? letIn(outlier, now) : outlier;
  const steps = Math.floor((now - since) / baseEjectionMs);
  if (steps === 0) return outlier;
  return steps >= times
    ? undefined
    : { ...outlier, times: times - steps, since: since + steps * baseEjectionMs };
}
