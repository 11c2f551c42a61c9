/** The file systems that this process sees, from /proc/self/mountinfo (proc(5)). */

/** One mounted file system. */
export interface Mount {
  /** Where it is mounted. */
  readonly path: string;
  /** Such as `cgroup2` or `bpf`. */
  readonly type: string;
}

/** Spaces, tabs, newlines and backslashes are written as three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/**
 * All mounts, oldest first: of two at the same place the later one is what a path leads to.
 *
 * @param text what the kernel says, for tests
 */
export function mounts(text: string = Deno.readTextFileSync("/proc/self/mountinfo")): Mount[] {
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const fields = line.split(" ");
    // Optional fields follow the sixth; a hyphen ends them.
    return { path: unescape(fields[4]), type: fields[fields.indexOf("-", 6) + 1] };
  });
}

/** The mount that an absolute path without symbolic links lies on. */
export function mountOf(path: string, all: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of all) {
    const below = mount.path === "/" || path === mount.path || path.startsWith(`${mount.path}/`);
    if (below && (found === undefined || mount.path.length >= found.path.length)) found = mount;
  }
  return found;
}
