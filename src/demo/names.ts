/** Where the demo keeps what outlives a process; each name carries its owner, so that the next demo can clean up. */

import { runtimePaths } from "../agent/mod.ts";
import { bpffsPath, isLeftover, ownedName } from "../host/mod.ts";

/** What all names start with. */
export const prefix = "weft-demo";

/** What this process's demo uses. */
export interface DemoPaths {
  /** Of the cgroup's directory, without the path. */
  readonly cgroup: string;
  readonly pinRoot: string;
  /** A directory of our own, which only root can enter. */
  readonly files: string;
  readonly meshFile: string;
}

export function demoPaths(): DemoPaths {
  const pinRoot = `${bpffsPath}/${ownedName(prefix, "pins")}`;
  const files = `${runtimePaths(pinRoot).directory}/${ownedName(prefix, "files")}`;
  return { cgroup: ownedName(prefix, "world"), pinRoot, files, meshFile: `${files}/mesh.yaml` };
}

/** The entries of a directory that demos left there which are gone. @returns whole paths; none where it does not exist */
export function leftovers(directory: string): string[] {
  // What the agent makes in its own directory is named after the pin root.
  const pins = bpffsPath.replace(/^\//, "").replaceAll("/", "-") + "-";
  const original = (name: string) => name.startsWith(pins) ? name.slice(pins.length) : name;
  try {
    return [...Deno.readDirSync(directory)].filter(({ name }) => isLeftover(original(name), prefix))
      .map(({ name }) => `${directory}/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
