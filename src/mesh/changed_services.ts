/** Which services a change of the mesh may concern. */

import type { ServiceKey } from "./model.ts";
import { diff } from "./persistent_map.ts";
import { rangeKey, type Snapshot, vipKey } from "./snapshot.ts";

/**
 * What may be different about a service: `service` is anything; `members` only some of the workloads that name it, while the service
 * and what it owns are the same.
 */
export type ServiceChange = "service" | "members";

/**
 * Every service that may compile to something else after the change, among them those that are new or gone.
 *
 * Besides a service's own change these count: its members, the workloads that its written endpoints name, and for
 * a contested VIP whatever may have moved its ownership. Costs what changed, whatever the size of the mesh.
 */
export function changedServices(before: Snapshot, after: Snapshot): Map<ServiceKey, ServiceChange> {
  const changed = new Map<ServiceKey, ServiceChange>();
  for (const { key } of diff(before.members, after.members)) {
    if (after.services.has(key)) changed.set(key, "members");
  }
  const addAll = (keys: readonly ServiceKey[] = []) => {
    for (const key of keys) changed.set(key, "service");
  };
  for (const change of diff(before.services, after.services)) {
    changed.set(change.key, "service");
    // Its claims may be the same, but not how it stands among the other claimants.
    for (const vip of change.after?.vips ?? []) addAll(after.claims.get(vipKey(vip)));
    for (const range of change.after?.ranges ?? []) addAll(after.rangeClaims.get(rangeKey(range)));
  }
  for (const { key } of diff(before.workloads, after.workloads)) addAll(after.writers.get(key));
  // Who claimed a VIP before and does not now has changed itself.
  for (const change of diff(before.claims, after.claims)) addAll(change.after);
  for (const change of diff(before.rangeClaims, after.rangeClaims)) addAll(change.after);
  return changed;
}
