/** Plans which limits of connections a service takes, changes and leaves. */

import type { ConnectionLimit } from "../../mesh/mod.ts";
import type { Applied, AppliedService } from "../applied.ts";
import type { DesiredService } from "../desired.ts";
import { holdLimit, limitOf } from "../limits.ts";
import type { Draft } from "./draft.ts";

type Ports = Iterable<{ readonly connectionLimit: ConnectionLimit | null }>;

/** Takes what a service names from now on; what it names no more is left when the plan has been carried out. */
export function planLimits(
  draft: Draft,
  before: AppliedService | undefined,
  desired: DesiredService | undefined,
): void {
  const { limits } = draft.applied;
  const left = limitsOf(before?.servicePorts.values() ?? []);
  const wanted = limitsOf(desired?.servicePorts ?? []);
  for (const [cluster, max] of wanted) {
    const limit = limitOf(limits, cluster);
    if (!left.has(cluster)) {
      holdLimit(limits, limit);
      draft.taken.limits.push(cluster);
    }
    if (limit.most !== max) draft.limits.set(cluster, { limit, before: limit.most, after: max });
  }
  for (const cluster of left.keys()) if (!wanted.has(cluster)) draft.released.limits.push(cluster);
}

/** What a service port's word says of its limit; 0: none. */
export function limitIdOf({ limits }: Applied, limit: ConnectionLimit | null): number {
  return limit === null ? 0 : limitOf(limits, limit.cluster).id;
}

function limitsOf(ports: Ports): Map<string, number> {
  const limits = new Map<string, number>();
  for (const { connectionLimit } of ports) {
    if (connectionLimit) limits.set(connectionLimit.cluster, connectionLimit.max);
  }
  return limits;
}
