/** Named network namespaces, through iproute2's `ip`. */

import { isLeftover } from "./owner.ts";
import { endProcesses } from "./process_end.ts";
import { run } from "./run.ts";

const directory = "/run/netns";

/** A command that runs `command` in a namespace. It sees a fresh /sys: join a cgroup first. */
export function inNamespace(name: string, command: readonly string[]): string[] {
  return ["ip", "netns", "exec", name, ...command];
}

/** The file that stands for a namespace, to be opened for setns(2). */
export function namespacePath(name: string): string {
  return `${directory}/${name}`;
}

/** The names of all named namespaces. */
export function listNamespaces(): string[] {
  try {
    return [...Deno.readDirSync(directory)].map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Runs `ip` commands, one a line without the leading `ip`, in one process. @param namespace where @default here */
export async function ipBatch(lines: readonly string[], namespace?: string): Promise<void> {
  const where = namespace === undefined ? [] : ["-n", namespace];
  await run(["ip", ...where, "-batch", "-"], lines.map((line) => `${line}\n`).join(""));
}

/** Removes namespaces by name; those that are gone already are fine. Processes in them keep running, without their network's name. */
export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  const existing = new Set(listNamespaces());
  await ipBatch(names.filter((name) => existing.has(name)).map((name) => `netns delete ${name}`));
}

/** The processes that live in a namespace. */
export async function namespaceProcesses(name: string): Promise<number[]> {
  const output = await run(["ip", "netns", "pids", name]);
  return output.split("\n").filter((line) => line !== "").map(Number);
}

/** Removes the namespaces whose owner (`ownedName`) is gone, and ends what still runs in them. */
export async function removeLeftoverNamespaces(prefix: string): Promise<void> {
  const names = listNamespaces().filter((name) => isLeftover(name, prefix));
  for (const name of names) await endProcesses(await namespaceProcesses(name));
  await deleteNamespaces(names);
}
