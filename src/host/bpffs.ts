import { HostError } from "./host_error.ts";
import { type Mount, mountOf, mounts } from "./mountinfo.ts";

/** Where every distribution has it, if it has it. */
export const bpffsPath = "/sys/fs/bpf";

/** An absolute path without symbolic links; of one that does not exist, as much as exists is followed. */
function resolve(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    const slash = path.lastIndexOf("/");
    // A BPF file system answers EPERM for every name with a dot.
    const isAbsent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied && path.includes(".", slash);
    if (!isAbsent || path === "/") throw error;
    const parent = resolve(slash > 0 ? path.slice(0, slash) : "/");
    return `${parent === "/" ? "" : parent}${path.slice(slash)}`;
  }
}

/**
 * Makes sure that a path, which need not exist, lies on a BPF file system: pins can live nowhere else. Where it is below
 * /sys/fs/bpf and none is mounted there, one is mounted.
 *
 * @param path absolute
 * @param mount mounts a BPF file system at a directory
 * @throws {HostError} where the path lies on another file system, or mounting fails
 */
export function ensureBpffs(
  path: string,
  mount: (at: string) => void,
  all: readonly Mount[] = mounts(),
): void {
  const real = resolve(path.replace(/(?<=.)\/+$/, ""));
  const found = mountOf(real, all);
  if (found?.type === "bpf") return refuseDots(path, real.slice(found.path.length));
  if (real !== bpffsPath && !real.startsWith(`${bpffsPath}/`)) {
    const others = all.filter((one) => one.type === "bpf").map((one) => one.path);
    throw new HostError(
      `${path} lies on a file system of type ${found?.type ?? "(none)"}, and pins can live on type bpf only`,
      `choose a --pin-root below ${others[0] ?? bpffsPath}`,
    );
  }
  refuseDots(path, real.slice(bpffsPath.length));
  try {
    mount(bpffsPath);
  } catch (error) {
    throw new HostError(
      `no BPF file system is mounted at ${bpffsPath}, and mounting one failed: ${(error as Error).message}`,
      `as root, run: mount -t bpf bpf ${bpffsPath}`,
      { cause: error },
    );
  }
}

/** The kernel keeps names with a dot on this file system for itself, and answers EPERM, which nobody understands. */
function refuseDots(path: string, below: string): void {
  if (!below.includes(".")) return;
  throw new HostError(
    `${path} has a dot in a name, which a BPF file system does not allow`,
    "choose a --pin-root without dots",
  );
}
