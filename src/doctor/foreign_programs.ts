/** What else runs on weft's hooks. */

import {
  closeFd,
  openDirectory,
  openProgramById,
  programInfo,
  queryPrograms,
  type Shim,
} from "../../ffi/mod.ts";
import { hooks } from "../dataplane/mod.ts";

/** A program on one of weft's hooks. */
export interface ProgramOnHook {
  readonly id: number;
  /** As the kernel keeps it, at most 15 bytes; may be empty. */
  readonly name: string;
  readonly hook: string;
  /** The directory of the cgroup that it is attached to. */
  readonly cgroup: string;
}

/**
 * The programs that run for a cgroup on weft's hooks: its own and those of the cgroups above it.
 *
 * @param mount where the hierarchy is mounted
 * @param path of the cgroup: the mount or below it, without symbolic links
 */
export function programsOnHooks(shim: Shim, mount: string, path: string): ProgramOnHook[] {
  const found: ProgramOnHook[] = [];
  // What runs for a cgroup and not for the one above it is attached to it.
  let above = new Map<string, readonly number[]>();
  for (const cgroup of lineage(mount, path)) {
    const running = effectivePrograms(shim, cgroup);
    for (const [hook, ids] of running) {
      const inherited = [...above.get(hook) ?? []];
      for (const id of ids) {
        const at = inherited.indexOf(id);
        if (at >= 0) inherited.splice(at, 1);
        else found.push({ id, name: nameOf(shim, id), hook, cgroup });
      }
    }
    above = running;
  }
  return found;
}

/** The cgroups from the root to this one. */
export function lineage(mount: string, path: string): string[] {
  const names = path.slice(mount.length).split("/").filter((name) => name !== "");
  const at = (depth: number) => [mount.replace(/\/$/, ""), ...names.slice(0, depth)].join("/") || "/";
  return Array.from({ length: names.length + 1 }, (_, depth) => at(depth));
}

/** Whether a program is weft's: an agent's, or another doctor's. */
export function isWeft({ name }: Pick<ProgramOnHook, "name">): boolean {
  return name.startsWith("weft_");
}

function effectivePrograms(shim: Shim, cgroup: string): Map<string, readonly number[]> {
  const fd = openDirectory(shim, cgroup);
  try {
    return new Map(
      hooks.map(({ name, attachType }) => [name, queryPrograms(shim, fd, attachType, name)] as const),
    );
  } finally {
    closeFd(shim, fd);
  }
}

/** Empty where it has no name, or is gone by now. */
function nameOf(shim: Shim, id: number): string {
  const fd = openProgramById(shim, id);
  if (fd === undefined) return "";
  try {
    return programInfo(shim, fd).name;
  } finally {
    closeFd(shim, fd);
  }
}
