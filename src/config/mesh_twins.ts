/** Two things with the same identity in one file. */

import { type Mesh, serviceKey } from "../mesh/mod.ts";
import { type MeshFileError, placeOf, problemAt } from "./mesh_file_error.ts";
import { quote } from "./quote.ts";
import { locate, type Step } from "./yaml_place.ts";
import type { YamlTree } from "./yaml_tree.ts";

/** The index of the first thing whose identity one before it has, and that one's. */
function firstTwin(identities: readonly string[]): { index: number; earlier: number } | undefined {
  const seen = new Map<string, number>();
  for (const [index, identity] of identities.entries()) {
    const earlier = seen.get(identity);
    if (earlier !== undefined) return { index, earlier };
    seen.set(identity, index);
  }
  return undefined;
}

/**
 * Refuses a mesh in which two workloads have the same uid (or none) or two services the same namespace and hostname.
 *
 * @throws {MeshFileError} with the place of the second one, naming the first one's
 */
export function refuseTwins(tree: YamlTree, mesh: Mesh): void {
  const errors = [twinWorkloads(tree, mesh), twinServices(tree, mesh)].filter((error) => error !== undefined);
  errors.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
  if (errors.length > 0) throw errors[0];
}

function twinWorkloads(tree: YamlTree, mesh: Mesh): MeshFileError | undefined {
  const twin = firstTwin(mesh.workloads.map(({ uid }) => uid));
  if (twin === undefined) return undefined;
  const { uid } = mesh.workloads[twin.index];
  const what = uid === ""
    ? "a second workload without a uid"
    : `a second workload with the uid ${quote(uid)}`;
  return twinError(tree, ["workloads", twin.index, "uid"], ["workloads", twin.earlier, "uid"], what);
}

function twinServices(tree: YamlTree, mesh: Mesh): MeshFileError | undefined {
  const twin = firstTwin(mesh.services.map(serviceKey));
  if (twin === undefined) return undefined;
  const what = `a second service ${quote(serviceKey(mesh.services[twin.index]))} (namespace/hostname)`;
  return twinError(tree, ["services", twin.index, "hostname"], ["services", twin.earlier, "hostname"], what);
}

function twinError(
  tree: YamlTree,
  steps: readonly Step[],
  earlier: readonly Step[],
  what: string,
): MeshFileError {
  const spot = locate(tree, steps);
  const first = locate(tree, earlier);
  const { line } = placeOf(tree.source.text, first.offset);
  return problemAt(
    tree.source,
    spot.offset,
    `${what}, the first is ${earlier[0]}[${earlier[1]}] in line ${line}`,
    spot.path,
  );
}
