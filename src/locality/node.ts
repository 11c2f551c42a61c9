/** Where this node is. */

import type { Locality, PersistentMap, Snapshot, Workload } from "../mesh/mod.ts";
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
  let asked: PersistentMap<Workload> | undefined;
  let warning: string | undefined;
  return {
    place: (snapshot) => {
      const here = snapshot.nodes.get(node);
      if (told || here === asked) return place;
      asked = here;
      const [first, other] = distinctLocalities(here);
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

/** The first two localities that differ. */
function distinctLocalities(workloads: PersistentMap<Workload> | undefined): Locality[] {
  const found: Locality[] = [];
  for (const { locality } of workloads?.values() ?? []) {
    if (found.length === 0) found.push(locality);
    else if (!same(locality, found[0])) return [found[0], locality];
  }
  return found;
}

function same(a: Locality, b: Locality): boolean {
  return a.region === b.region && a.zone === b.zone && a.subzone === b.subzone;
}

function words({ region, zone, subzone }: Locality): string {
  return [region, zone, subzone].join("/");
}
