/** Where this node is. */

import {
  diff,
  emptyMap,
  type Locality,
  type PersistentMap,
  type Snapshot,
  type Workload,
} from "../mesh/mod.ts";
import { finish, type Steps, stepSize } from "../host/mod.ts";
import type { Place } from "./rank.ts";

/** What the node was told about itself; `undefined`: not told. */
export interface NodeOptions {
  readonly network: string;
  readonly node: string;
  readonly clusterId: string;
  readonly region: string | undefined;
  readonly zone: string | undefined;
  readonly subzone: string | undefined;
}

/** Finds out where the node is. */
export interface NodeFinder {
  /** The node's place as a snapshot has it: the same object as long as it is the same place. */
  place(snapshot: Snapshot): Place;
  /**
   * Goes through a first mesh bit by bit, so that asking for its place costs little afterwards. Needs not be done, nor be done to its
   * end.
   */
  learn(snapshot: Snapshot): Steps<void>;
  /** Why the locality is not known, though workloads run on this node: they do not agree. */
  readonly warning: string | undefined;
}

const nowhere: Locality = { region: "", zone: "", subzone: "" };

/**
 * Region, zone and subzone come as a whole: from the options as soon as one of the three is given (an empty one counts as given; those
 * that are not are empty), else from the workloads on this node, if they all agree, else they are empty.
 */
export function createNodeFinder(options: NodeOptions): NodeFinder {
  const { network, node, clusterId, region, zone, subzone } = options;
  const told = region !== undefined || zone !== undefined || subzone !== undefined;
  let place: Place = {
    network,
    node,
    clusterId,
    locality: told ? { region: region ?? "", zone: zone ?? "", subzone: subzone ?? "" } : nowhere,
  };
  /** The workloads of the snapshot that was asked about last, and those of them that run here, by uid. */
  let known = emptyMap<Workload>();
  let here = new Map<string, Workload>();
  /** What `learn` has found has not been looked at yet. */
  let learned = false;
  let warning: string | undefined;

  /** Of a first mesh, which is all change, those that run here. */
  function* findHere(workloads: PersistentMap<Workload>): Steps<Map<string, Workload>> {
    const found = new Map<string, Workload>();
    let looked = 0;
    for (const workload of workloads.values()) {
      if (workload.traits.node === node) found.set(workload.uid, workload);
      if (++looked % stepSize === 0) yield;
    }
    return found;
  }

  /** Costs what changed. @returns whether anything changed here */
  function follow(workloads: PersistentMap<Workload>): boolean {
    let changed = learned;
    learned = false;
    if (known.size === 0) {
      here = finish(findHere(workloads));
      known = workloads;
      return here.size > 0;
    }
    for (const { key, before, after } of diff(known, workloads)) {
      if (after?.traits.node === node) here.set(key, after);
      else if (before?.traits.node === node) here.delete(key);
      else continue;
      changed = true;
    }
    known = workloads;
    return changed;
  }

  return {
    *learn({ workloads }) {
      if (told || node === "" || known.size > 0) return;
      // Whatever somebody asks meanwhile, the next question is answered by the difference to this.
      here = yield* findHere(workloads);
      [known, learned] = [workloads, true];
    },
    place: (snapshot) => {
      if (told || node === "" || !follow(snapshot.workloads)) return place;
      const [first, other] = distinctLocalities(here.values());
      warning = other &&
        `the workloads on node ${node} do not agree where it is (${words(first)} and ${words(other)}): ` +
          "give --region, --zone and --subzone";
      const locality = first && !other ? first : nowhere;
      if (!same(locality, place.locality)) place = { ...place, locality };
      return place;
    },
    get warning() {
      return warning;
    },
  };
}

/** Those that differ, in an order that does not depend on that of the workloads. */
function distinctLocalities(workloads: Iterable<Workload>): Locality[] {
  const found = new Map<string, Locality>();
  for (const { traits: { locality } } of workloads) {
    found.set(JSON.stringify([locality.region, locality.zone, locality.subzone]), locality);
  }
  return [...found].sort(([a], [b]) => a < b ? -1 : 1).map(([, locality]) => locality);
}

function same(a: Locality, b: Locality): boolean {
  return a.region === b.region && a.zone === b.zone && a.subzone === b.subzone;
}

function words({ region, zone, subzone }: Locality): string {
  return [region, zone, subzone].join("/");
}
