import type { Shim } from "../../ffi/mod.ts";
import { detachPrograms, exists, foreignLayouts, type PinPaths, removePins } from "../dataplane/mod.ts";

/**
 * Takes the programs off their hooks and removes all that weft pinned below the root, and the root where nothing else is in it.
 *
 * @returns how many links there were
 */
export function detachAll(shim: Shim, paths: PinPaths): number {
  const count = detachPrograms(shim, paths.links);
  for (const directory of [paths.maps, paths.nextMaps, paths.previousMaps, paths.sockets]) {
    removePins(directory);
  }
  for (const name of foreignLayouts(paths)) removePins(`${paths.root}/${name}`);
  if (exists(paths.root) && [...Deno.readDirSync(paths.root)].length === 0) Deno.removeSync(paths.root);
  return count;
}
