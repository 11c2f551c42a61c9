import { HostError } from "./host_error.ts";
import { type Mount, mountOf, mounts } from "./mountinfo.ts";

/** Where every distribution has it, if it has it. */
export const bpffsPath = "/sys/fs/bpf";

/** An absolute path without symbolic links; of one that does not exist, as much as exists is followed. */
function resolve(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) || path === "/") throw error;
    const slash = path.lastIndexOf("/");
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
  if (found?.type === "bpf") return;
  if (real !== bpffsPath && !real.startsWith(`${bpffsPath}/`)) {
    const others = all.filter((one) => one.type === "bpf").map((one) => one.path);
    throw new HostError(
      `${path} lies on a file system of type ${found?.type ?? "(none)"}, and pins can live on type bpf only`,
      `choose a --pin-root below ${others[0] ?? bpffsPath}`,
    );
  }
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
