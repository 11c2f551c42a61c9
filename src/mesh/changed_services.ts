/** Which services a change of the mesh may concern. */

import type { ServiceKey } from "./model.ts";
import { diff } from "./persistent_map.ts";
import { rangeKey, type Snapshot, vipKey } from "./snapshot.ts";

/**
 * Every service that may compile to something else after the change, among them those that are new or gone.
 *
 * Besides a service's own change these count: its members, the workloads that its written endpoints name, and for
 * a contested VIP whatever may have moved its ownership. Costs what changed, whatever the size of the mesh.
 */
export function changedServices(before: Snapshot, after: Snapshot): Set<ServiceKey> {
  const changed = new Set<ServiceKey>();
  const addAll = (keys: readonly ServiceKey[] = []) => {
    for (const key of keys) changed.add(key);
  };
  for (const change of diff(before.services, after.services)) {
    changed.add(change.key);
    // Its claims may be the same, but not how it stands among the other claimants.
    for (const vip of change.after?.vips ?? []) addAll(after.claims.get(vipKey(vip)));
    for (const range of change.after?.ranges ?? []) addAll(after.rangeClaims.get(rangeKey(range)));
  }
  for (const { key } of diff(before.members, after.members)) {
    if (after.services.has(key)) changed.add(key);
  }
  for (const { key } of diff(before.workloads, after.workloads)) addAll(after.writers.get(key));
  // Who claimed a VIP before and does not now has changed itself.
  for (const change of diff(before.claims, after.claims)) addAll(change.after);
  for (const change of diff(before.rangeClaims, after.rangeClaims)) addAll(change.after);
  return changed;
}
