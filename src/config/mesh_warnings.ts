/** What a mesh file may say but deserves a word: what is likely a mistake, and what weft does not obey yet. */

import { type Mesh, ownerOf, type Service, serviceKey, vipKey, type Workload } from "../mesh/mod.ts";
import { placeOf } from "./mesh_file_error.ts";
import { cidrVipFields, localityFields, matchFields } from "./mesh_schema.ts";
import { oneLine, shorten } from "./quote.ts";
import { ignoredKeys } from "./yaml_schema.ts";
import { locate, locateKey, type Step } from "./yaml_place.ts";
import { YamlMap, type YamlTree, type YamlValue } from "./yaml_tree.ts";

/** A warning whose place is looked up only if it is said. */
interface Warning {
  readonly steps: readonly Step[];
  /** Index of the entry whose key is meant. */
  readonly entry?: number;
  readonly text: string;
}

/** Warnings of one kind, and what they are called together. */
interface Kind {
  /** For "and N more …". */
  readonly plural: string;
  readonly warnings: Iterable<Warning>;
}

/** Warnings of one kind that are said in full. */
const maxOfKind = 20;

/**
 * The warnings for a mesh, one line each. After 20 of one kind one line says how many more there are.
 *
 * @param mesh made from `tree`, in the same order
 */
export function warningsOf(tree: YamlTree, mesh: Mesh): string[] {
  const kinds: Kind[] = [
    { plural: "policies that are not enforced yet", warnings: policies(mesh) },
    { plural: "VIPs that several services claim", warnings: contestedVips(mesh) },
    { plural: "memberships in unknown services", warnings: unknownServices(mesh) },
    { plural: "target ports of 0", warnings: zeroPorts(mesh) },
    { plural: "keys that are ignored", warnings: keysWithoutMeaning(tree) },
  ];
  return kinds.flatMap((kind) => linesOf(tree, kind));
}

/** The lines of one kind. */
function linesOf(tree: YamlTree, { plural, warnings }: Kind): string[] {
  const { file, text } = tree.source;
  const lines: string[] = [];
  let more = 0;
  for (const { steps, entry, text: warning } of warnings) {
    if (lines.length === maxOfKind) {
      more++;
      continue;
    }
    if (entry === undefined) {
      const { offset } = locate(tree, steps);
      lines.push(oneLine(`${file}:${placeOf(text, offset).line}: ${warning}`));
    } else {
      const { offset, path } = locateKey(tree, steps, entry);
      lines.push(oneLine(`${file}:${placeOf(text, offset).line}: ${path}: ${warning}`));
    }
  }
  if (more > 0) lines.push(`${file}: and ${more} more ${plural}`);
  return lines;
}

function* policies(mesh: Mesh): Iterable<Warning> {
  for (const [index, { namespace, name }] of mesh.policies.entries()) {
    yield {
      steps: ["policies", index],
      text: `policy ${shorten(`${namespace}/${name}`)} is not enforced yet`,
    };
  }
}

function* contestedVips(mesh: Mesh): Iterable<Warning> {
  const claims = new Map<string, { claimants: Service[]; last: Step[] }>();
  for (const [index, service] of mesh.services.entries()) {
    for (const [at, vip] of service.vips.entries()) {
      const key = vipKey(vip);
      const claim = claims.get(key);
      if (claim === undefined) claims.set(key, { claimants: [service], last: [] });
      else if (claim.claimants.at(-1) !== service) {
        claim.claimants.push(service);
        claim.last = ["services", index, "vips", at];
      }
    }
  }
  for (const [key, { claimants, last }] of claims) {
    if (claimants.length === 1) continue;
    const owner = ownerOf(claimants);
    const text = `VIP ${shorten(key)} is claimed by ${enumerate(claimants.map(serviceKey))}: ` +
      (owner
        ? `it belongs to ${shorten(serviceKey(owner))}`
        : "it belongs to none of them, for none may be seen from everywhere");
    yield { steps: last, text };
  }
}

function* unknownServices(mesh: Mesh): Iterable<Warning> {
  const known = new Set(mesh.services.map(serviceKey));
  for (const [index, workload] of mesh.workloads.entries()) {
    for (const key of workload.services.keys()) {
      if (known.has(key)) continue;
      const text = `workload ${nameOf(workload)} is a member of ${
        shorten(key)
      }, which is no service of this file`;
      yield { steps: ["workloads", index, "services", { last: key }], text };
    }
  }
}

function* zeroPorts(mesh: Mesh): Iterable<Warning> {
  for (const [index, service] of mesh.services.entries()) {
    for (const [port, target] of service.ports) {
      if (target !== 0) continue;
      const text = `service ${shorten(serviceKey(service))}: port ${port} has target port 0, ` +
        "so only endpoints with a port mapping of their own serve it";
      yield { steps: ["services", index, "ports", { last: port }], text };
    }
  }
  for (const [index, workload] of mesh.workloads.entries()) {
    for (const [service, ports] of workload.services) {
      for (const [port, target] of ports) {
        if (target !== 0) continue;
        const text = `workload ${nameOf(workload)} does not serve port ${port} of ${
          shorten(service)
        }: its target port is 0`;
        yield { steps: ["workloads", index, "services", { last: service }, { last: port }], text };
      }
    }
  }
}

function* keysWithoutMeaning(tree: YamlTree): Iterable<Warning> {
  for (const { map, fields, steps } of openStructs(tree)) {
    const known = Object.keys(fields).join(", ");
    for (const entry of ignoredKeys(map, fields)) {
      yield { steps, entry, text: `key is ignored; known are ${known}` };
    }
  }
}

/** The document's maps in which keys that nobody knows are no error. */
function* openStructs(tree: YamlTree): Iterable<{ map: YamlMap; fields: object; steps: Step[] }> {
  for (const [index, workload] of itemsOf(valueOf(tree.root, "workloads"))) {
    const map = valueOf(workload, "locality");
    if (map instanceof YamlMap) {
      yield { map, fields: localityFields, steps: ["workloads", index, "locality"] };
    }
  }
  for (const [index, service] of itemsOf(valueOf(tree.root, "services"))) {
    for (const [at, map] of itemsOf(valueOf(service, "cidrVips"))) {
      if (!(map instanceof YamlMap)) continue;
      yield { map, fields: cidrVipFields, steps: ["services", index, "cidrVips", at] };
    }
  }
  for (const [index, policy] of itemsOf(valueOf(tree.root, "policies"))) {
    for (const [i, rule] of itemsOf(valueOf(policy, "rules"))) {
      for (const [j, clause] of itemsOf(rule)) {
        for (const [k, map] of itemsOf(clause)) {
          if (!(map instanceof YamlMap)) continue;
          yield { map, fields: matchFields, steps: ["policies", index, "rules", i, j, k] };
        }
      }
    }
  }
}

function valueOf(map: YamlValue | undefined, key: string): YamlValue | undefined {
  return map instanceof YamlMap ? map.values[map.keys.indexOf(key)] : undefined;
}

function itemsOf(list: YamlValue | undefined): Iterable<[index: number, item: YamlValue]> {
  return Array.isArray(list) ? list.entries() : [];
}

/** How people know a workload. */
function nameOf({ uid, traits }: Workload): string {
  return shorten(uid || `without uid in namespace ${traits.namespace}`);
}

/** A list for a sentence, its end left out where it is long. */
function enumerate(names: readonly string[]): string {
  const max = 10;
  return names.slice(0, max).map(shorten).join(", ") +
    (names.length > max ? ` and ${names.length - max} more` : "");
}
