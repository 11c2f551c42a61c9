/** What a service's changed members change of it, without looking at the others. */

import {
  diff,
  emptyMap,
  familyOf,
  type Service,
  type ServiceKey,
  type Snapshot,
  type Workload,
} from "../mesh/mod.ts";
import type { Place } from "../locality/mod.ts";
import { memberOf, reachOf } from "./candidate.ts";
import { compileInSteps, portContexts } from "./compile.ts";
import type {
  Aside,
  AsideEndpoints,
  DesiredEndpoint,
  RankedEndpoint,
  ServiceEdit,
  ServicePortEdit,
} from "./desired.ts";
import { type Part, partOf, type PortContext } from "./part.ts";

/** An edit is made and planned in one go: some 20 ms for so many members. */
const mostMembers = 2048;

/** Everything that services are compiled from. */
export interface CompileInput {
  readonly snapshot: Snapshot;
  readonly place: Place;
  readonly aside: Aside;
}

/**
 * Compiles the difference between two inputs for a service that is the same in both, with the same VIPs: only members, and who of them
 * is set aside, may differ. Ports of families of which the service owns no VIP are among the edits too; nothing is applied of them.
 *
 * @returns `undefined` where the service has endpoints of its own: then members do not stand alone, and it is compiled whole; also where
 * so many members changed that it is better done in steps
 */
export function compileEdit(
  before: CompileInput,
  after: CompileInput,
  key: ServiceKey,
): ServiceEdit | undefined {
  const service = after.snapshot.services.get(key);
  if (service === undefined || service.endpoints.length > 0 || service.assigned !== null) return undefined;
  const asideBefore = before.aside.get(key);
  const asideAfter = after.aside.get(key);
  const members = changedMembers(before, after, key);
  if (members === undefined) return undefined;
  const families = new Set([...service.vips, ...service.ranges].map(({ address }) => familyOf(address)));
  const edits = [...families].flatMap((family) => {
    const old = portContexts(service, key, before.place, family, asideBefore);
    const now = portContexts(service, key, after.place, family, asideAfter);
    return now.map((context, i) => editPort(service, key, old[i], context, members));
  });
  return {
    edits: edits.filter(({ mapped, removed, added }) => mapped !== 0 || removed.length + added.length > 0),
    whole: () => compileInSteps(after.snapshot, key, after.place, { aside: asideAfter }),
  };
}

function editPort(
  service: Service,
  key: ServiceKey,
  before: PortContext,
  after: PortContext,
  members: readonly ChangedMember[],
): ServicePortEdit {
  const removed: RankedEndpoint[] = [];
  const added: RankedEndpoint[] = [];
  let mapped = 0;
  for (const member of members) {
    const was = memberPart(before, service, key, member.before);
    const is = memberPart(after, service, key, member.after);
    mapped += Number(is?.mapped ?? false) - Number(was?.mapped ?? false);
    if (isSame(was?.ranked, is?.ranked)) continue;
    if (was?.ranked) removed.push(was.ranked);
    if (is?.ranked) added.push(is.ranked);
  }
  return { key: after.key, mapped, removed, added };
}

interface ChangedMember {
  readonly before: Workload | undefined;
  readonly after: Workload | undefined;
}

/** @returns `undefined`: more than `mostMembers` */
function changedMembers(
  before: CompileInput,
  after: CompileInput,
  key: ServiceKey,
): readonly ChangedMember[] | undefined {
  const old = before.snapshot.members.get(key) ?? emptyMap<Workload>();
  const now = after.snapshot.members.get(key) ?? emptyMap<Workload>();
  const changed: ChangedMember[] = [];
  const seen = new Set<string>();
  for (const change of diff(old, now)) {
    if (seen.size === mostMembers) return undefined;
    changed.push(change);
    seen.add(change.key);
  }
  for (const uid of asideChanges(before.aside.get(key), after.aside.get(key))) {
    if (seen.has(uid)) continue;
    if (seen.size === mostMembers) return undefined;
    changed.push({ before: old.get(uid), after: now.get(uid) });
    seen.add(uid);
  }
  return changed;
}

/** The workloads of which an endpoint was set aside, or is no longer. */
function* asideChanges(
  before: AsideEndpoints = new Map(),
  after: AsideEndpoints = new Map(),
): Iterable<string> {
  if (before === after) return;
  for (const [endpoint, uid] of before) if (!after.has(endpoint)) yield uid;
  for (const [endpoint, uid] of after) if (!before.has(endpoint)) yield uid;
}

function memberPart(
  context: PortContext,
  service: Service,
  key: ServiceKey,
  workload: Workload | undefined,
): Part | undefined {
  if (workload === undefined) return undefined;
  const candidate = memberOf(service, key, workload);
  return partOf(context, candidate, reachOf(candidate, service, context.node, context.family));
}

function isSame(a: RankedEndpoint | null | undefined, b: RankedEndpoint | null | undefined): boolean {
  if (!a || !b) return !a && !b;
  return a.rank === b.rank && isSameEndpoint(a.endpoint, b.endpoint);
}

function isSameEndpoint(a: DesiredEndpoint | null, b: DesiredEndpoint | null): boolean {
  if (a === null || b === null) return a === b;
  return a.uid === b.uid && a.address === b.address && a.port === b.port && a.weight === b.weight;
}
