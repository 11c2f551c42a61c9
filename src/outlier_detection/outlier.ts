/** What is known of endpoints that failed. */

import {
  type Aside,
  type AsideEndpoints,
  asideKey,
  type DesiredEndpoint,
  type DesiredServicePort,
} from "../dataplane/desired.ts";
import type { ServiceKey } from "../mesh/model.ts";

/** How a connect failed, in words. */
export type FailureKind = "refused" | "timed out" | "reset" | "unreachable" | "given up";

/** Why an endpoint is set aside. */
export interface Failing {
  /** Connects that failed in a row. */
  readonly inARow: number;
  /** How the last of them failed. */
  readonly how: FailureKind;
}

/** An endpoint that is set aside, or was not long ago. Times are milliseconds of one clock that only goes forward. */
export interface Outlier {
  readonly endpoint: DesiredEndpoint;
  /** How often it was set aside in a row: it says for how long. It goes down while the endpoint is in use. */
  readonly times: number;
  /** When it was set aside or let back in, or when `times` went down. */
  readonly since: number;
  /** `null`: it is in use again. */
  readonly aside: { readonly until: number; readonly why: Failing } | null;
}

/** Of one service port, by `endpointKey`. */
export interface PortOutliers extends Pick<DesiredServicePort, "service" | "port" | "family"> {
  readonly endpoints: ReadonlyMap<string, Outlier>;
}

/** Everything that is remembered, by `DesiredServicePort.key`. Only endpoints that were set aside are in it. */
export type OutlierState = ReadonlyMap<string, PortOutliers>;

/**
 * What is set aside now.
 *
 * @param before what was: where nothing changed for a service, its map is the same object, and where nothing did at all, the whole
 */
export function asideOf(state: OutlierState, before: Aside = new Map()): Aside {
  const byService = new Map<ServiceKey, Map<string, string>>();
  for (const [port, { service, endpoints }] of state) {
    for (const [key, outlier] of endpoints) {
      if (outlier.aside === null) continue;
      const ofService = byService.get(service) ?? new Map<string, string>();
      ofService.set(asideKey(port, key), outlier.endpoint.uid);
      byService.set(service, ofService);
    }
  }
  const aside = new Map<ServiceKey, AsideEndpoints>(byService);
  for (const [service, now] of aside) {
    const was = before.get(service);
    if (was && sameKeys(was, now)) aside.set(service, was);
  }
  const allSame = sameKeys(before, aside) &&
    [...aside].every(([service, now]) => before.get(service) === now);
  return allSame ? before : aside;
}

function sameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}
