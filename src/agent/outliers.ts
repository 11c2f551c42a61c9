/** Sets endpoints aside that the kernel says connects fail to, and lets them back in: src/outlier_detection between kernel and controller. */

import { openRing, type Ring, type Shim, workload } from "../../ffi/mod.ts";
import {
  type Aside,
  asideKey,
  type Controller,
  type Datapath,
  endpointKey,
  failureEventsSize,
  type MeshMaps,
} from "../dataplane/mod.ts";
import type { Place } from "../locality/mod.ts";
import { formatAddressPort, type ServiceKey, type Snapshot } from "../mesh/mod.ts";
import type { Logger } from "../observe/log.ts";
import {
  asideOf,
  changesBetween,
  type FailureKind,
  type Outlier,
  type OutlierChange,
  type OutlierSettings,
  type OutlierState,
  step,
} from "../outlier_detection/mod.ts";
import { calmDown } from "./calm.ts";
import { createLocator } from "./locator.ts";
import { createWholePorts } from "./whole_ports.ts";

/** What it did since the agent's start. */
export interface OutlierCounts {
  readonly setAside: number;
  readonly letIn: number;
  /** Endpoints that were to be set aside, but too many of their tier were. */
  readonly shareReached: number;
}

export interface Outliers {
  /** Hands in a snapshot, with what stays set aside in it. */
  readonly submit: (snapshot: Snapshot) => void;
  /** Reads what the kernel has told since the last call, and does what it is time for. */
  readonly tick: () => void;
  /** Lets connects cost less again where none fails any more. */
  readonly calmDown: () => void;
  /** Endpoints that are set aside now. */
  readonly aside: Aside;
  readonly counts: OutlierCounts;
  /** An endpoint that is set aside now. @param port `DesiredServicePort.key` @param endpoint `endpointKey` */
  find(port: string, endpoint: string): { readonly outlier: Outlier; readonly until: Date } | undefined;
  /**
   * How many connections an endpoint got before it was last set aside: the kernel counts anew afterwards.
   *
   * @param key `asideKey`; left out: of all of the service
   */
  earlier(service: ServiceKey, key?: string): number;
  close(): void;
}

export interface OutlierParts {
  /** What the kernel has told since it was read last. */
  readonly failures: Ring<workload.FailureEvent>;
  /** After its first flush. */
  readonly datapath: Pick<Datapath, "applied" | "maps">;
  readonly controller: Pick<Controller, "submit" | "setAside" | "state">;
  /** What was handed in last, by whomever: what is set aside gets into the kernel together with it. */
  readonly newest: () => Snapshot;
  readonly place: (snapshot: Snapshot) => Place;
  readonly settings: OutlierSettings;
  readonly log: Logger;
  /** Milliseconds of a clock that only goes forward. @default {performance.now} */
  readonly now?: () => number;
}

const { FAILURE_REFUSED, FAILURE_TIMED_OUT, FAILURE_RESET, FAILURE_UNREACHABLE, FAILURE_GIVEN_UP } =
  workload.failure;

const kinds: Readonly<Record<number, FailureKind>> = {
  [FAILURE_REFUSED]: "refused",
  [FAILURE_TIMED_OUT]: "timed out",
  [FAILURE_RESET]: "reset",
  [FAILURE_UNREACHABLE]: "unreachable",
  [FAILURE_GIVEN_UP]: "given up",
};

/** Opens the ring that the kernel tells of failed connects in. */
export function openFailures(shim: Shim, { failureEventsFd }: MeshMaps): Ring<workload.FailureEvent> {
  return openRing(shim, failureEventsFd, workload.failureEvent, failureEventsSize);
}

/** Begins with nothing set aside, and with what fails from now on. */
export function watchOutliers(parts: OutlierParts): Outliers {
  const { failures, datapath, controller, newest, place, settings, log } = parts;
  const { now = () => performance.now() } = parts;
  // What was told to nobody is past.
  failures.read();
  const locate = createLocator(datapath, controller);
  let state: OutlierState = new Map();
  let aside: Aside = new Map();
  let counts: OutlierCounts = { setAside: 0, letIn: 0, shareReached: 0 };
  /** Service → `asideKey` → what is to be added to the kernel's count. */
  const earlier = new Map<ServiceKey, Map<string, { readonly uid: string; readonly count: number }>>();
  const allPorts = createWholePorts();
  const wholePorts = (snapshot: Snapshot, key: ServiceKey, place: Place) =>
    snapshot.services.get(key)?.outlierDetection ? allPorts(snapshot, key, place) : [];

  function become(next: OutlierState): void {
    if (next === state) return;
    const changes = changesBetween(state, next);
    for (const change of changes) {
      if (change.what === "set aside") keepCount(change);
      logChange(change);
    }
    const setAside = changes.filter(({ what }) => what === "set aside").length;
    counts = {
      ...counts,
      setAside: counts.setAside + setAside,
      letIn: counts.letIn + changes.length - setAside,
    };
    state = next;
    aside = asideOf(state, aside);
  }

  /** The kernel's count goes when the endpoint leaves it. */
  function keepCount({ port: { service }, key, outlier }: OutlierChange): void {
    const index = locate.indexOf(service, key);
    const hits = index === undefined ? 0n : datapath.maps!.endpointHits.lookup(index) ?? 0n;
    const ofService = earlier.get(service) ?? new Map<string, { uid: string; count: number }>();
    const { count = 0 } = ofService.get(key) ?? {};
    ofService.set(key, { uid: outlier.endpoint.uid, count: count + Number(hits) });
    earlier.set(service, ofService);
  }

  function forgetCounts({ services, workloads }: Snapshot): void {
    for (const [service, endpoints] of earlier) {
      const { assigned } = services.get(service) ?? {};
      if (assigned === undefined) earlier.delete(service);
      // Of assigned endpoints no workload is known.
      if (assigned) continue;
      for (const [key, { uid }] of endpoints) if (!workloads.has(uid)) endpoints.delete(key);
    }
  }

  function logChange({ what, port, outlier }: OutlierChange): void {
    const { service, port: number, family } = port;
    const { uid, address, port: targetPort } = outlier.endpoint;
    const about = {
      service,
      port: number,
      family,
      workload: uid,
      endpoint: formatAddressPort(address, targetPort),
    };
    if (outlier.aside === null) {
      log.info("an endpoint that was set aside is in use again", about);
      return;
    }
    const { why, until } = outlier.aside;
    log.warn(`${what}: ${why.inARow} connects to an endpoint in a row failed`, {
      ...about,
      last: why.how,
      until: wallClock(until).toISOString(),
      times: outlier.times,
    });
  }

  /** When that is for people. @param at by `now` */
  function wallClock(at: number): Date {
    return new Date(Date.now() + at - now());
  }

  function fail({ endpoint, generation, inARow, failure }: workload.FailureEvent, at: number): void {
    const found = locate.find(endpoint, generation);
    if (!found || aside.get(found.service)?.has(asideKey(found.port, found.endpoint))) return;
    const port = wholePorts(newest(), found.service, place(newest())).find(({ key }) => key === found.port);
    if (
      !port?.tiers.some(({ endpoints }) =>
        endpoints.some((endpoint) => endpointKey(endpoint) === found.endpoint)
      )
    ) return;
    const why = { inARow, how: kinds[failure] };
    const next = step(state, { kind: "failing", port, endpoint: found.endpoint, why }, at, settings);
    if (next === state) counts = { ...counts, shareReached: counts.shareReached + 1 };
    else become(next);
  }

  return {
    submit: (snapshot) => {
      const here = place(snapshot);
      const services = new Set([...state.values()].map(({ service }) => service));
      let next = state;
      for (const service of services) {
        const ports = wholePorts(snapshot, service, here);
        next = step(next, { kind: "service", service, ports }, now(), settings);
      }
      become(next);
      forgetCounts(snapshot);
      controller.submit(snapshot, aside);
    },
    tick: () => {
      const before = aside;
      const at = now();
      const { records } = failures.read();
      if (state.size > 0) become(step(state, { kind: "time" }, at, settings));
      for (const event of records) fail(event, at);
      if (aside !== before) controller.setAside(aside);
    },
    calmDown: () =>
      calmDown(
        datapath.maps!.connectFailures,
        (index, generation) => locate.find(index, generation) !== undefined,
      ),
    get aside() {
      return aside;
    },
    get counts() {
      return counts;
    },
    find: (port, endpoint) => {
      const outlier = state.get(port)?.endpoints.get(endpoint);
      return outlier?.aside ? { outlier, until: wallClock(outlier.aside.until) } : undefined;
    },
    earlier: (service, key) => {
      const endpoints = earlier.get(service);
      if (key !== undefined) return endpoints?.get(key)?.count ?? 0;
      return endpoints?.values().reduce((sum, { count }) => sum + count, 0) ?? 0;
    },
    close: () => failures[Symbol.dispose](),
  };
}
