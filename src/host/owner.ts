/**
 * Names that tell whose a resource is. What outlives a process (a namespace, a cgroup, a pin) carries its owner in its name, so
 * that the next start can remove what a killed run left behind and nothing else.
 */

/** When a process started, in clock ticks since boot: with the pid it names one process for good. */
function startTime(pid: number): string | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The command name before it may hold anything, closing brackets included.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ESRCH") {
      return undefined;
    }
    throw error;
  }
}

/** `<pid>_<start time>` of a running process, as part of a name (a pin's name must not have dots). */
export function ownerTag(pid: number = Deno.pid): string {
  return `${pid}_${Number(startTime(pid)).toString(36)}`;
}

/** A name for a resource of this process: `<prefix>-<owner>-<rest>`. */
export function ownedName(prefix: string, rest: string): string {
  return `${prefix}-${ownerTag()}-${rest}`;
}

/** Whether a name was made by `ownedName` with this prefix, by a process that is gone. */
export function isLeftover(name: string, prefix: string): boolean {
  if (!name.startsWith(`${prefix}-`)) return false;
  const owner = /^(\d+)_([0-9a-z]+)-/.exec(name.slice(prefix.length + 1));
  if (!owner) return false;
  const start = startTime(Number(owner[1]));
  return start === undefined || Number(start).toString(36) !== owner[2];
}
