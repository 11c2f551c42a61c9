import { mounts, ownedName } from "../src/host/mod.ts";

/** The memory cgroup that a process moved into, and the one that it came from. */
export interface OwnMemoryCgroup extends Disposable {
  /** For processes that are not to be charged to it; `undefined` where there is no memory cgroup to move into. */
  readonly outside: string | undefined;
  /** The bytes of kernel memory that are charged to it; `undefined` where it cannot be told. */
  readonly charged: () => number | undefined;
}

/** The directory of this process's memory cgroup: version 1's where that has the controller, else version 2's. */
function currentMemoryCgroup(): { readonly path: string; readonly version: 1 | 2 } | undefined {
  const lines = Deno.readTextFileSync("/proc/self/cgroup").trim().split("\n").map((line) => line.split(":"));
  const version1 = lines.find(([, controllers]) => controllers.split(",").includes("memory"));
  const mount = version1
    ? mounts().find((one) => one.type === "cgroup" && /\/memory$|\/memory,|,memory/.test(one.path))
    : mounts().find((one) => one.type === "cgroup2");
  const path = version1?.[2] ?? lines.find(([id]) => id === "0")?.[2];
  if (mount === undefined || path === undefined) return undefined;
  return { path: `${mount.path}${path === "/" ? "" : path}`, version: version1 ? 1 : 2 };
}

/**
 * Moves this process into a memory cgroup of its own, as a service manager does with a service: the kernel memory of maps is
 * then charged to a cgroup, which costs where a program allocates. Says so where that cannot be done.
 */
export function enterMemoryCgroup(say: (line: string) => void): OwnMemoryCgroup {
  const current = currentMemoryCgroup();
  const nothing = { outside: undefined, charged: () => undefined, [Symbol.dispose]: () => {} };
  if (current === undefined) {
    say("NOT in a memory cgroup of its own: this host has none mounted");
    return nothing;
  }
  const path = `${current.path}/${ownedName("weft-bench", "memory")}`;
  try {
    Deno.mkdirSync(path);
    // Version 2 has the controller only where the parent hands it down.
    Deno.statSync(`${path}/memory.stat`);
    Deno.writeTextFileSync(`${path}/cgroup.procs`, "0");
  } catch (error) {
    say(`NOT in a memory cgroup of its own: ${(error as Error).message}`);
    return nothing;
  }
  return {
    outside: current.path,
    charged: () => kernelMemory(path, current.version),
    [Symbol.dispose]: () => {
      Deno.writeTextFileSync(`${current.path}/cgroup.procs`, "0");
      Deno.removeSync(path);
    },
  };
}

function kernelMemory(path: string, version: 1 | 2): number | undefined {
  if (version === 1) return Number(Deno.readTextFileSync(`${path}/memory.kmem.usage_in_bytes`));
  const line = /^kernel (\d+)$/m.exec(Deno.readTextFileSync(`${path}/memory.stat`)); // from 5.18 on
  return line ? Number(line[1]) : undefined;
}
