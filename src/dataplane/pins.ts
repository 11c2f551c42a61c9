/**
 * Where things are pinned below the pin root, and how a generation takes another's place so that a crash at any instant
 * leaves one complete set.
 *
 *     v<schema>/        the mesh maps of the current generation
 *     v<schema>-new/    the next generation, while the programs are moved over to it
 *     v<schema>-old/    the one before, for an instant
 *     sockets-v<hash>/  per-socket state, which outlives generations
 *     links/            one link a hook
 *
 * A bpf filesystem takes no dots in names.
 */

import { workload } from "../../ffi/mod.ts";

/** All paths below one pin root. */
export interface PinPaths {
  readonly root: string;
  readonly maps: string;
  readonly nextMaps: string;
  readonly previousMaps: string;
  readonly sockets: string;
  readonly links: string;
}

export function pinPaths(root: string): PinPaths {
  return {
    root,
    maps: `${root}/v${workload.schema}`,
    nextMaps: `${root}/v${workload.schema}-new`,
    previousMaps: `${root}/v${workload.schema}-old`,
    sockets: `${root}/sockets-v${workload.socketSchema}`,
    links: `${root}/links`,
  };
}

export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes a directory of pins; not being there is fine. */
export function removePins(directory: string): void {
  if (exists(directory)) Deno.removeSync(directory, { recursive: true });
}

/** Makes the next generation the current one. */
export function promoteNextMaps(paths: PinPaths): void {
  removePins(paths.previousMaps);
  if (exists(paths.maps)) Deno.renameSync(paths.maps, paths.previousMaps);
  Deno.renameSync(paths.nextMaps, paths.maps);
  removePins(paths.previousMaps);
}

/** Mends what an agent left that was killed while it promoted: whichever complete set is there becomes the current one. */
export function recoverMaps(paths: PinPaths): void {
  if (!exists(paths.maps)) {
    // Both directories were complete before the first rename, and held the same.
    if (exists(paths.nextMaps)) Deno.renameSync(paths.nextMaps, paths.maps);
    else if (exists(paths.previousMaps)) Deno.renameSync(paths.previousMaps, paths.maps);
  }
  removePins(paths.nextMaps);
  removePins(paths.previousMaps);
}

/** Directories of other layouts, which an older or newer weft left: names below the root. */
export function foreignLayouts(paths: PinPaths): string[] {
  if (!exists(paths.root)) return [];
  const ours = [paths.maps, paths.sockets].map((path) => path.slice(paths.root.length + 1));
  return [...Deno.readDirSync(paths.root)].map((entry) => entry.name)
    .filter((name) => /^(sockets-)?v[0-9a-f]+(-new|-old)?$/.test(name) && !ours.includes(name));
}
