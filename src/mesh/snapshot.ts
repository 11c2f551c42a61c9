/** One immutable, complete picture of the mesh, with the indexes that compiling it needs. */

import { sameContents } from "./_equal.ts";
import {
  type Mesh,
  type NetworkAddress,
  type NetworkRange,
  type Policy,
  policyKey,
  type Service,
  type ServiceKey,
  serviceKey,
  type Workload,
  type WorkloadTraits,
} from "./model.ts";
import { emptyMap, entryOf, type MapDraft, type PersistentMap } from "./persistent_map.ts";

export interface Snapshot {
  /** By uid. */
  readonly workloads: PersistentMap<Workload>;
  /** By `serviceKey`. */
  readonly services: PersistentMap<Service>;
  /** By `policyKey`. */
  readonly policies: PersistentMap<Policy>;
  /** Service → uid → workload that names the service, whether or not the service is known. */
  readonly members: PersistentMap<PersistentMap<Workload>>;
  /** Uid → the services whose own `endpoints` name that workload, whether or not it is known. */
  readonly writers: PersistentMap<readonly ServiceKey[]>;
  /**
   * `vipKey` → the services that list this VIP, in the source's order: that of the file, or for a source that tells edits that
   * of the services' keys, for edits may arrive in any order and the outcome must be the same.
   */
  readonly claims: PersistentMap<readonly ServiceKey[]>;
  /** `rangeKey` → the services that list this range, in the same order. */
  readonly rangeClaims: PersistentMap<readonly ServiceKey[]>;
}

/** What a source adds, replaces and takes away in one step. Removing what is not there is no error. */
export interface MeshEdit {
  readonly upsertWorkloads?: readonly Workload[];
  /** Uids. */
  readonly removeWorkloads?: readonly string[];
  readonly upsertServices?: readonly Service[];
  readonly removeServices?: readonly ServiceKey[];
  readonly upsertPolicies?: readonly Policy[];
  /** `namespace/name`. */
  readonly removePolicies?: readonly string[];
}

/** `network/address`: the key of a VIP in `Snapshot.claims`. */
export function vipKey(vip: NetworkAddress): string {
  return `${vip.network}/${vip.address}`;
}

/** `network/address/length`: the key of a range in `Snapshot.rangeClaims`. */
export function rangeKey({ network, address, prefixLength }: NetworkRange): string {
  return `${network}/${address}/${prefixLength}`;
}

export function emptySnapshot(): Snapshot {
  return {
    workloads: emptyMap(),
    services: emptyMap(),
    policies: emptyMap(),
    members: emptyMap(),
    writers: emptyMap(),
    claims: emptyMap(),
    rangeClaims: emptyMap(),
  };
}

/**
 * The snapshot after an edit: first the removals, then the rest; of two values with one identity the last counts.
 *
 * A value that says the same as the one that is there already changes nothing and leaves the old object in place.
 *
 * @returns the very same snapshot where nothing changed.
 */
export function editSnapshot(snapshot: Snapshot, edit: MeshEdit): Snapshot {
  const editing = beginEdit(snapshot);
  editing.add(edit);
  return editing.finish();
}

/** A snapshot's next version while it is being made. */
export interface SnapshotEdit {
  /** As one more `editSnapshot` on top of those before. */
  add(edit: MeshEdit): void;
  /** The finished snapshot; the very same where nothing changed. Nothing may be added afterwards. */
  finish(): Snapshot;
}

/** Begins an edit that is made bit by bit, so that others have their turn in between: what many edits in a row would give, but faster. */
export function beginEdit(snapshot: Snapshot): SnapshotEdit {
  const draft = draftOf(snapshot);
  return {
    add: (edit) => {
      for (const uid of edit.removeWorkloads ?? []) removeWorkload(draft, uid);
      for (const key of edit.removeServices ?? []) removeService(draft, key);
      for (const key of edit.removePolicies ?? []) draft.policies.delete(key);
      for (const workload of edit.upsertWorkloads ?? []) putWorkload(draft, workload);
      for (const service of edit.upsertServices ?? []) putService(draft, service);
      for (const policy of edit.upsertPolicies ?? []) putPolicy(draft, policy);
    },
    finish: () => finish(draft, snapshot),
  };
}

/**
 * The snapshot that says what `mesh` says and nothing else.
 *
 * What `mesh` says unchanged keeps its old object, so that it costs nothing later on.
 *
 * @returns the very same snapshot where nothing changed.
 */
export function replaceMesh(snapshot: Snapshot, mesh: Mesh): Snapshot {
  const draft = draftOf(snapshot);
  const places = new Map(mesh.services.map((service, place) => [serviceKey(service), place]));
  for (const uid of keysGone(snapshot.workloads, mesh.workloads, (each) => each.uid)) {
    removeWorkload(draft, uid);
  }
  for (const key of keysGone(snapshot.services, mesh.services, serviceKey)) removeService(draft, key);
  for (const key of keysGone(snapshot.policies, mesh.policies, policyKey)) draft.policies.delete(key);
  for (const workload of mesh.workloads) putWorkload(draft, workload);
  for (const service of mesh.services) putService(draft, service);
  for (const policy of mesh.policies) putPolicy(draft, policy);
  orderClaims(draft, mesh.services, places);
  return finish(draft, snapshot);
}

/** The keys of `before` that no value of `after` has. */
function keysGone<V>(before: PersistentMap<V>, after: readonly V[], keyOf: (value: V) => string): string[] {
  if (before.size === 0) return [];
  const present = new Set(after.map(keyOf));
  return [...before.keys()].filter((key) => !present.has(key));
}

interface SnapshotDraft {
  readonly workloads: MapDraft<Workload>;
  readonly services: MapDraft<Service>;
  readonly policies: MapDraft<Policy>;
  readonly members: GroupsDraft;
  readonly writers: MapDraft<readonly ServiceKey[]>;
  readonly claims: MapDraft<readonly ServiceKey[]>;
  readonly rangeClaims: MapDraft<readonly ServiceKey[]>;
}

function draftOf(snapshot: Snapshot): SnapshotDraft {
  return {
    workloads: snapshot.workloads.draft(),
    services: snapshot.services.draft(),
    policies: snapshot.policies.draft(),
    members: { all: snapshot.members.draft(), touched: new Map() },
    writers: snapshot.writers.draft(),
    claims: snapshot.claims.draft(),
    rangeClaims: snapshot.rangeClaims.draft(),
  };
}

function finish(draft: SnapshotDraft, before: Snapshot): Snapshot {
  const after: Snapshot = {
    workloads: draft.workloads.finish(),
    services: draft.services.finish(),
    policies: draft.policies.finish(),
    members: finishGroups(draft.members),
    writers: draft.writers.finish(),
    claims: draft.claims.finish(),
    rangeClaims: draft.rangeClaims.finish(),
  };
  // The other indexes follow from workloads and services; the order of claims may change by itself.
  const unchanged = after.workloads === before.workloads && after.services === before.services &&
    after.policies === before.policies && after.claims === before.claims &&
    after.rangeClaims === before.rangeClaims;
  return unchanged ? before : after;
}

/** Workloads by some name, each group a map of its own. */
interface GroupsDraft {
  readonly all: MapDraft<PersistentMap<Workload>>;
  /** The groups that were touched so far. */
  readonly touched: Map<string, MapDraft<Workload>>;
}

function groupOf(groups: GroupsDraft, name: string): MapDraft<Workload> {
  let group = groups.touched.get(name);
  if (group === undefined) {
    group = (groups.all.get(name) ?? emptyMap<Workload>()).draft();
    groups.touched.set(name, group);
  }
  return group;
}

function finishGroups({ all, touched }: GroupsDraft): PersistentMap<PersistentMap<Workload>> {
  for (const [name, draft] of touched) {
    const group = draft.finish();
    if (group.size === 0) all.delete(name);
    else all.set(name, group);
  }
  return all.finish();
}

function putWorkload(draft: SnapshotDraft, told: Workload): void {
  let entry = entryOf(told.uid, told);
  const old = draft.workloads.valueAt(entry);
  let workload = told;
  const { uid } = old ?? told;
  if (old !== undefined) {
    if (sameContents(old, told)) return;
    workload = withPartsOf(old, told);
    entry = entryOf(uid, workload);
    for (const key of old.services.keys()) {
      if (!workload.services.has(key)) groupOf(draft.members, key).delete(uid);
    }
  }
  draft.workloads.put(entry);
  for (const key of workload.services.keys()) groupOf(draft.members, key).put(entry);
}

/**
 * What `workload` says, made of the old one's objects where those say the same: many workloads share them, and one that changes
 * by itself would keep its own from then on.
 */
function withPartsOf(old: Workload, workload: Workload): Workload {
  const { uid } = old;
  const { status, capacity } = workload;
  return {
    uid,
    addresses: part(old.addresses, workload.addresses),
    status,
    capacity,
    services: part(old.services, workload.services),
    traits: withPartsOfTraits(old.traits, workload.traits),
  };
}

function withPartsOfTraits(old: WorkloadTraits, traits: WorkloadTraits): WorkloadTraits {
  if (sameContents(old, traits)) return old;
  return {
    ...traits,
    namespace: part(old.namespace, traits.namespace),
    network: part(old.network, traits.network),
    node: part(old.node, traits.node),
    clusterId: part(old.clusterId, traits.clusterId),
    locality: part(old.locality, traits.locality),
    waypoint: part(old.waypoint, traits.waypoint),
    networkGateway: part(old.networkGateway, traits.networkGateway),
    authorizationPolicies: part(old.authorizationPolicies, traits.authorizationPolicies),
  };
}

function part<T>(before: T, after: T): T {
  return sameContents(before, after) ? before : after;
}

function removeWorkload(draft: SnapshotDraft, uid: string): void {
  const old = draft.workloads.get(uid);
  if (old === undefined) return;
  draft.workloads.delete(uid);
  for (const key of old.services.keys()) groupOf(draft.members, key).delete(uid);
}

function putService(draft: SnapshotDraft, service: Service): void {
  const key = serviceKey(service);
  const old = draft.services.get(key);
  if (old !== undefined && sameContents(old, service)) return;
  draft.services.set(key, service);
  moveMentions(draft.claims, key, old?.vips.map(vipKey) ?? [], service.vips.map(vipKey));
  moveMentions(draft.rangeClaims, key, old?.ranges.map(rangeKey) ?? [], service.ranges.map(rangeKey));
  moveMentions(draft.writers, key, writtenUids(old), writtenUids(service));
}

function removeService(draft: SnapshotDraft, key: ServiceKey): void {
  const old = draft.services.get(key);
  if (old === undefined) return;
  draft.services.delete(key);
  moveMentions(draft.claims, key, old.vips.map(vipKey), []);
  moveMentions(draft.rangeClaims, key, old.ranges.map(rangeKey), []);
  moveMentions(draft.writers, key, writtenUids(old), []);
}

function writtenUids(service: Service | undefined): string[] {
  return service?.endpoints.map((endpoint) => endpoint.workloadUid) ?? [];
}

function putPolicy(draft: SnapshotDraft, policy: Policy): void {
  const key = policyKey(policy);
  const old = draft.policies.get(key);
  if (old === undefined || !sameContents(old, policy)) draft.policies.set(key, policy);
}

/**
 * Takes `service` out of the lists of the names that it no longer mentions and puts it into those of new ones. Lists are in the order
 * of keys, so that they do not depend on the order of edits.
 */
function moveMentions(
  index: MapDraft<readonly ServiceKey[]>,
  service: ServiceKey,
  before: readonly string[],
  after: readonly string[],
): void {
  const kept = new Set(after);
  for (const name of before) {
    if (kept.has(name)) continue;
    const others = (index.get(name) ?? []).filter((key) => key !== service);
    if (others.length === 0) index.delete(name);
    else index.set(name, others);
  }
  for (const name of kept) {
    const keys = index.get(name) ?? [];
    if (!keys.includes(service)) index.set(name, [...keys, service].sort());
  }
}

/** Puts the claimants of every contested VIP and range into the order of their places. */
function orderClaims(
  draft: SnapshotDraft,
  services: readonly Service[],
  places: ReadonlyMap<ServiceKey, number>,
): void {
  const placeOf = (key: ServiceKey) => places.get(key) ?? 0;
  const order = (index: MapDraft<readonly ServiceKey[]>, key: string) => {
    const claimants = index.get(key) ?? [];
    if (claimants.every((claimant, i) => i === 0 || placeOf(claimants[i - 1]) < placeOf(claimant))) return;
    index.set(key, claimants.toSorted((a, b) => placeOf(a) - placeOf(b)));
  };
  for (const service of services) {
    for (const vip of service.vips) order(draft.claims, vipKey(vip));
    for (const range of service.ranges) order(draft.rangeClaims, rangeKey(range));
  }
}
