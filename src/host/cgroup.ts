/** Control groups, version 2. */

import { statSync } from "node:fs";
import { HostError } from "./host_error.ts";
import { type Mount, mounts } from "./mountinfo.ts";
import { isLeftover } from "./owner.ts";
import { endProcesses } from "./process_end.ts";
import { sleep } from "./sleep.ts";

/** Where cgroup v2 is mounted: /sys/fs/cgroup, or elsewhere on hosts that have version 1 too. @throws {HostError} */
export function cgroup2Mount(all: readonly Mount[] = mounts()): string {
  const found = all.find((mount) => mount.type === "cgroup2");
  if (found === undefined) {
    throw new HostError(
      "no cgroup v2 file system is mounted (none of type cgroup2 in /proc/self/mountinfo)",
      "mount one: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
    );
  }
  return found.path;
}

/** A cgroup's id, as the kernel tells it of links and sockets: its directory's inode number. */
export function cgroupId(path: string): bigint {
  return statSync(path, { bigint: true }).ino;
}

/** The processes in a cgroup itself, not in those below it. */
export function cgroupProcesses(path: string): number[] {
  return Deno.readTextFileSync(`${path}/cgroup.procs`).split("\n").filter((line) => line !== "").map(Number);
}

/** A command that joins a cgroup before it becomes `command`: children and sockets are in it from the start. */
export function inCgroup(path: string, command: readonly string[]): string[] {
  return ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', path, ...command];
}

/** A cgroup of ours; disposing of it removes it. */
export interface Cgroup extends AsyncDisposable {
  readonly path: string;
  readonly id: bigint;
}

/**
 * Creates a cgroup. Disposing of it waits for its processes to end (the kernel removes empty ones only): they belong to whoever
 * started them and are not killed.
 *
 * @param parent an existing cgroup's directory
 * @param timeoutMs how long disposal waits @default 5000
 */
export function createCgroup(parent: string, name: string, timeoutMs = 5000): Cgroup {
  const path = `${parent}/${name}`;
  try {
    Deno.mkdirSync(path);
  } catch (error) {
    throw new HostError(
      `cannot create the cgroup ${path}: ${(error as Error).message}`,
      "be root, and see that the parent is a cgroup v2 directory",
      { cause: error },
    );
  }
  return { path, id: cgroupId(path), [Symbol.asyncDispose]: () => removeCgroup(path, timeoutMs) };
}

/** Removes an empty cgroup, waiting for its last processes; one that is gone already is fine. */
async function removeCgroup(path: string, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return Deno.removeSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (performance.now() > end) {
        throw new HostError(
          `cannot remove the cgroup ${path}: ${(error as Error).message}`,
          `its processes are ${
            cgroupProcesses(path).join(", ") || "gone"
          }; end them and remove it with rmdir`,
          { cause: error },
        );
      }
    }
    await sleep(10);
  }
}

/**
 * Ends and removes what killed runs left behind: cgroups with an owner in their name (`ownedName`) that is gone, those below them,
 * and every process in them.
 */
export async function removeLeftoverCgroups(parent: string, prefix: string): Promise<void> {
  for (const entry of Deno.readDirSync(parent)) {
    if (entry.isDirectory && isLeftover(entry.name, prefix)) await removeTree(`${parent}/${entry.name}`);
  }
}

async function removeTree(path: string): Promise<void> {
  for (const entry of Deno.readDirSync(path)) {
    if (entry.isDirectory) await removeTree(`${path}/${entry.name}`);
  }
  await endProcesses(cgroupProcesses(path));
  await removeCgroup(path, 5000);
}
