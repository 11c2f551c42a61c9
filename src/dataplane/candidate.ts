/** Who may take part in a service: its members, and the workloads that it names itself. */

import { mapInSteps, type Steps } from "../host/mod.ts";
import {
  type Family,
  familyOf,
  type PortMap,
  type Service,
  type ServiceKey,
  type Snapshot,
  type Workload,
} from "../mesh/mod.ts";
import type { Place } from "../locality/mod.ts";
import type { ExclusionReason } from "./desired.ts";

/** A workload that the service may use. */
export interface Candidate {
  readonly workload: Workload;
  /** The mapping that holds for it: its own, or the one written in the service. */
  readonly ports: PortMap;
  /** Its health leaves it out. */
  readonly unhealthy: boolean;
}

/** A workload that names the service itself. */
export function memberOf(service: Service, key: ServiceKey, workload: Workload): Candidate {
  const anyHealth = service.loadBalancer?.healthPolicy === "AllowAll";
  const unhealthy = !anyHealth && workload.status !== "Healthy";
  return { workload, ports: workload.services.get(key) ?? new Map(), unhealthy };
}

/**
 * The service's members and the known workloads that its own `endpoints` name, each workload once: a member that
 * its health does not leave out counts as the workload says; any other as the service says, if it says anything,
 * and then whatever its health.
 */
export function* candidatesOf(
  snapshot: Snapshot,
  key: ServiceKey,
  service: Service,
): Steps<readonly Candidate[]> {
  const workloads: Workload[] = [];
  snapshot.members.get(key)?.forEach((workload) => workloads.push(workload));
  const members = yield* mapInSteps(workloads, (workload) => memberOf(service, key, workload));
  if (service.endpoints.length === 0) return members;
  const candidates = new Map<string, Candidate>();
  for (const { workloadUid, ports } of service.endpoints) {
    const workload = snapshot.workloads.get(workloadUid);
    if (workload !== undefined) candidates.set(workloadUid, { workload, ports, unhealthy: false });
  }
  for (const member of members) {
    const { uid } = member.workload;
    if (member.unhealthy && candidates.has(uid)) continue;
    candidates.set(uid, member);
  }
  return [...candidates.values()];
}

/** Where callers of one family reach a candidate, or why they do not. */
export type Reach = { readonly address: string } | { readonly reason: ExclusionReason };

export function reachOf(candidate: Candidate, service: Service, node: Place, family: Family): Reach {
  const { workload, unhealthy } = candidate;
  if (unhealthy) return { reason: "unhealthy" };
  if (workload.traits.network !== node.network) return { reason: "other network" };
  const address = workload.addresses.find((each) => familyOf(each) === family);
  if (address === undefined) return { reason: "no address of this family" };
  const excluded = service.ipFamilies === (family === 4 ? "IPv6" : "IPv4");
  return excluded ? { reason: "excluded by ipFamilies" } : { address };
}
