/** What clusters ask for and weft does not do: said aloud. */

import { connectionLimitOf } from "./connection_limit.ts";
import { hashNote } from "./hash_policy.ts";
import type { Assignment, Cluster, Target } from "./model.ts";
import { reasonToLeave } from "./reason_to_leave.ts";
import type { Resources } from "./resources.ts";

/** As many names as fit into a line. */
const named = 5;
/** Among more than so many the least busy one is not looked for (bpf/types.h, MOST_CHOICES). */
const mostChoices = 32;

/** One line for each kind of thing that the clusters of these targets ask for and do not get. */
export function unhonoured(targets: Iterable<Target>, resources: Resources): string[] {
  const { clusters, assignments } = resources;
  const names = new Set<string>();
  const notes = new Map<string, Set<string>>();
  const note = (what: string, name: string) => notes.set(what, (notes.get(what) ?? new Set()).add(name));
  for (const target of targets) {
    for (const { name } of target.clusters) names.add(name);
    notesOfHash(target, resources, note);
    notesOfMix(target, resources, note);
  }
  for (const name of names) {
    const cluster = clusters.get(name)?.value;
    if (cluster === undefined) continue;
    notesOf(cluster, resources, note);
    const assignment = cluster.edsName === "" ? cluster.assignment : assignments.get(cluster.edsName)?.value;
    if ((cluster.panicThreshold ?? defaultPanic) > 0 && assignment && hasUnusable(assignment)) {
      note("healthy_panic_threshold is not honoured, unhealthy endpoints are never chosen", name);
    }
    for (const what of assignment?.unhonoured ?? []) note(what, name);
  }
  return [...notes].map(([what, names]) => `${what}: ${list([...names].sort())}`).sort();
}

type Note = (what: string, name: string) => void;

function notesOf(cluster: Cluster, resources: Resources, note: Note): void {
  const { name, type, choice, policy } = cluster;
  const left = reasonToLeave(cluster, resources);
  if (left !== undefined) {
    if (type !== "ORIGINAL_DST") note(`${left}: left alone`, name);
    return;
  }
  if (choice === undefined) note(`${policy} is not honoured, endpoints are chosen at random by weight`, name);
  if (choice?.kind === "leastRequest" && choice.choices > mostChoices) {
    note(`choice_count is honoured up to ${mostChoices}`, `${name} (${choice.choices})`);
  }
  for (const what of cluster.unhonoured) note(what, name);
  if (cluster.transport !== "") note("dialled in the clear, not wrapped", `${name} (${cluster.transport})`);
  if (cluster.transportMatches.length > 0) {
    note(
      "transport_socket_matches is not honoured, every endpoint is dialled in the clear",
      `${name} (${cluster.transportMatches.join(", ")})`,
    );
  }
}

/** What routes and TCP proxies ask for, where the cluster hashes. */
function notesOfHash(target: Target, { clusters }: Resources, note: Note): void {
  if (target.hashes.length === 0) return;
  for (const { name } of target.clusters) {
    const choice = clusters.get(name)?.value.choice;
    if (choice?.kind !== "ringHash" && choice?.kind !== "maglev") continue;
    note(hashNote(target.hashes), name);
  }
}

/** Clusters that share a target, and one of them cannot take its part. */
function notesOfMix({ clusters: mixed }: Target, resources: Resources, note: Note): void {
  const { clusters, assignments } = resources;
  if (mixed.length < 2) return;
  for (const { name, weight } of mixed) {
    const cluster = clusters.get(name)?.value;
    if (cluster === undefined || weight === 0) continue;
    if (reasonToLeave(cluster, resources) !== undefined) {
      note("left alone with all clusters that share its traffic", name);
      continue;
    }
    notesOfPart(cluster, note);
    const assignment = cluster.edsName === "" ? cluster.assignment : assignments.get(cluster.edsName)?.value;
    const empty = !assignment?.localities.some(({ endpoints }) =>
      endpoints.some(({ health }) => usable.has(health))
    );
    if (empty) note("no usable endpoint, its share of the traffic goes to the others", name);
  }
}

/** What the kernel would do for a cluster that were alone, and does not for several: their tiers become one. */
function notesOfPart(cluster: Cluster, note: Note): void {
  const { name, choice, policy } = cluster;
  const shares = "is not honoured where clusters share traffic by weight";
  if (choice && choice.kind !== "random") {
    note(`${policy} ${shares}, endpoints are chosen at random by weight`, name);
  }
  if (connectionLimitOf(cluster)) note(`max_connections ${shares}`, name);
}

/** What Envoy takes where nothing is said, in percent. */
const defaultPanic = 50;

function hasUnusable({ localities }: Assignment): boolean {
  return localities.some(({ endpoints }) => endpoints.some(({ health }) => !usable.has(health)));
}

const usable: ReadonlySet<string> = new Set(["HEALTHY", "UNKNOWN", "DEGRADED"]);

function list(names: readonly string[]): string {
  const shown = names.slice(0, named).join(", ");
  return names.length <= named ? shown : `${shown} and ${names.length - named} more`;
}
