/** What the host offers before the kernel is asked for anything. */

import { accessSync, constants } from "node:fs";
import { release } from "node:os";
import { cgroup2Mount, ensureBpffs, mountOf, mounts } from "../host/mod.ts";
import { CheckFailed, type Finding } from "./check.ts";
import type { Checklist } from "./checklist.ts";
import { readOpenFiles } from "./open_files.ts";
import { readPrivileges } from "./privileges.ts";

/** The oldest kernel that weft is made for. */
const oldestKernel = [5, 15] as const;

/** Open files that a large mesh takes: a thousand inner maps at a time, and room for the rest. */
const enoughOpenFiles = 2048;

export interface HostOptions {
  /** The cgroup that the agent is (to be) attached to. @default the root of cgroup v2 */
  readonly cgroup: string | undefined;
  readonly pinRoot: string;
}

/** A cgroup and the root of the hierarchy that it is in. */
export interface CgroupPlace {
  readonly mount: string;
  readonly path: string;
}

export interface HostFindings {
  readonly privileged: Finding<null>;
  readonly cgroup2: Finding<string>;
  readonly cgroup: Finding<CgroupPlace>;
}

export async function checkHost(checklist: Checklist, options: HostOptions): Promise<HostFindings> {
  const { check } = checklist.section("Host");
  await check(
    { id: "host.kernel", title: "kernel version", remedy: "run weft on Linux 5.15 or later", optional: true },
    [],
    () => checkKernelVersion(release()),
  );
  const privileged = await check(
    { id: "host.privileges", title: "root's capabilities", remedy: "run as root: sudo weft doctor" },
    [],
    checkPrivileges,
  );
  const cgroup2 = await check(
    { id: "host.cgroup2", title: "cgroup v2", remedy: "mount cgroup v2" },
    [],
    checkCgroup2,
  );
  const cgroup = await check(
    {
      id: "host.cgroup",
      title: "cgroup to attach to",
      remedy: "give --cgroup an existing directory of cgroup v2, or leave it out for all of the host",
    },
    [cgroup2],
    (mount) => checkCgroup(mount, options.cgroup),
  );
  await check(
    {
      id: "host.bpffs",
      title: "BPF file system for the pins",
      remedy: "choose a --pin-root below /sys/fs/bpf, and see that root may write there",
    },
    [],
    () => checkBpffs(options.pinRoot),
  );
  await check(
    {
      id: "host.open_files",
      title: "limit of open files",
      remedy: "raise it: ulimit -n",
      optional: true,
    },
    [],
    checkOpenFiles,
  );
  return { privileged, cgroup2, cgroup };
}

function checkKernelVersion(version: string) {
  const [major, minor] = version.split(".").map((part) => Number.parseInt(part));
  const old = major < oldestKernel[0] || (major === oldestKernel[0] && minor < oldestKernel[1]);
  if (!old) return { value: null, detail: version };
  return {
    value: null,
    detail: `${version} is older than what weft is made for`,
    warning: `what follows shows what works all the same; Linux ${
      oldestKernel.join(".")
    } or later is supported`,
  };
}

function checkPrivileges() {
  const uidMap = readIfThere("/proc/self/uid_map");
  const { uid, missing, inUserNamespace } = readPrivileges(
    Deno.readTextFileSync("/proc/self/status"),
    uidMap,
  );
  const who = uid === 0 ? "root" : `user ${uid}`;
  if (missing.length > 0) {
    throw new CheckFailed(
      `${who} without ${missing.join(" and ")}`,
      uid === 0 ? `give the container or unit ${missing.join(" and ")}` : "run as root: sudo weft doctor",
    );
  }
  if (inUserNamespace) {
    throw new CheckFailed(
      `${who} of a user namespace only`,
      "run weft outside of the rootless container: BPF needs the host's root",
    );
  }
  return { value: null, detail: `${who}, with CAP_SYS_ADMIN and CAP_NET_ADMIN` };
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function checkCgroup2() {
  const all = mounts();
  const path = cgroup2Mount(all);
  const hybrid = all.some((mount) => mount.type === "cgroup");
  return { value: path, detail: `${path}${hybrid ? " (beside version 1, which weft does not need)" : ""}` };
}

function checkCgroup(mount: string, path: string | undefined) {
  if (path === undefined) return { value: { mount, path: mount }, detail: `${mount}: every process here` };
  let real: string;
  try {
    real = Deno.realPathSync(path);
  } catch (error) {
    throw new CheckFailed(`${path}: ${(error as Error).message}`);
  }
  if (!Deno.statSync(real).isDirectory) throw new CheckFailed(`${path} is not a directory`);
  const on = mountOf(real, mounts());
  if (on?.type !== "cgroup2") {
    throw new CheckFailed(
      `${path} is on a file system of type ${on?.type ?? "(none)"}, not cgroup2`,
      `give --cgroup a directory below ${mount}`,
    );
  }
  return { value: { mount: on.path, path: real }, detail: real };
}

function checkBpffs(pinRoot: string) {
  let mounted = true;
  // What the agent would do, but for mounting: that would outlive this command.
  ensureBpffs(pinRoot, () => {
    mounted = false;
  });
  if (!mounted) {
    if (!/\bbpf$/m.test(Deno.readTextFileSync("/proc/filesystems"))) {
      throw new CheckFailed(
        "not mounted, and this kernel has none",
        "use a kernel with CONFIG_BPF_SYSCALL, as distributions have",
      );
    }
    return { value: null, detail: "not mounted yet; weft run mounts it" };
  }
  const existing = existingPart(pinRoot);
  accessSync(existing, constants.W_OK);
  return { value: null, detail: existing === pinRoot ? pinRoot : `${existing}; weft run makes ${pinRoot}` };
}

/** The path itself, or the nearest directory above it that exists. */
function existingPart(path: string): string {
  for (let at = path;; at = at.slice(0, at.lastIndexOf("/")) || "/") {
    try {
      Deno.statSync(at);
      return at;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || at === "/") throw error;
    }
  }
}

function checkOpenFiles() {
  const { soft, hard } = readOpenFiles(Deno.readTextFileSync("/proc/self/limits"));
  const detail = Number.isFinite(soft) ? String(soft) : "none";
  if (soft >= enoughOpenFiles) return { value: null, detail };
  return {
    value: null,
    detail: `${detail}: a change of more than ${Math.max(0, soft - 100)} services at once fails`,
    warning: `raise it to ${enoughOpenFiles} or more (${
      hard >= enoughOpenFiles ? `ulimit -n ${enoughOpenFiles}` : "ulimit -Hn, as root"
    }; LimitNOFILE= in the unit)`,
  };
}
