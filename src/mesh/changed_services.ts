/** Which services a change of the mesh may concern. */

import type { Service, ServiceKey } from "./model.ts";
import { diff } from "./persistent_map.ts";
import { type Snapshot, vipKey } from "./snapshot.ts";

/**
 * Every service that may compile to something else after the change, among them those that are new or gone.
 *
 * Besides a service's own change these count: its members, the workloads that its written endpoints name, and for
 * a contested VIP whatever may have moved its ownership. Costs what changed, whatever the size of the mesh.
 */
export function changedServices(before: Snapshot, after: Snapshot): Set<ServiceKey> {
  const changed = new Set<ServiceKey>();
  for (const change of diff(before.services, after.services)) {
    changed.add(change.key);
    addRivals(changed, before, change.before);
    addRivals(changed, after, change.after);
  }
  for (const { key } of diff(before.members, after.members)) {
    if (after.services.has(key)) changed.add(key);
  }
  for (const { key } of diff(before.workloads, after.workloads)) {
    for (const writer of after.writers.get(key) ?? []) changed.add(writer);
  }
  for (const change of diff(before.claims, after.claims)) {
    for (const claimant of change.before ?? []) changed.add(claimant);
    for (const claimant of change.after ?? []) changed.add(claimant);
  }
  return changed;
}

/** Adds the claimants of the service's VIPs: its visibility or rank among them may have changed, not its claims. */
function addRivals(changed: Set<ServiceKey>, snapshot: Snapshot, service: Service | undefined): void {
  for (const vip of service?.vips ?? []) {
    for (const claimant of snapshot.claims.get(vipKey(vip)) ?? []) changed.add(claimant);
  }
}
