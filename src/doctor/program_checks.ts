/** The programs themselves: loaded over maps that hold a mesh, put on every hook of a cgroup of their own. */

import {
  AF_INET,
  closeFd,
  createLink,
  detachLink,
  KernelMap,
  linkInfo,
  type LoadedObject,
  openDirectory,
  openSocket,
  programInfo,
  queryPrograms,
  type Shim,
  SOCK_STREAM,
  u32,
  updateLink,
} from "../../ffi/mod.ts";
import {
  type Datapath,
  type Hook,
  hooksInUse,
  type LoadedPrograms,
  loadPrograms,
  openDatapath,
  pinPaths,
  probeFeatures,
} from "../dataplane/mod.ts";
import { cgroupId, createCgroup, ownedName, removeLeftoverCgroups } from "../host/mod.ts";
import { defaultWatermarks } from "../records/mod.ts";
import { CheckFailed, type Finding } from "./check.ts";
import type { Section } from "./checklist.ts";
import { probeMesh } from "./probe_mesh.ts";

/** Its name starts with it, so that the next run finds what a killed one left. */
const cgroupPrefix = "weft-doctor";

/** Nothing is there and nothing can be made there: the data path finds no pins, and makes everything anew. */
const nowhere = "/proc/self/weft-doctor";

/** More than the probes need. */
const sizes = { frontends: 64, services: 64, endpoints: 64, records: 64 };
const socketSizes = { peers: 64, flows: 64, connectionLimits: 64 };

/** A cgroup that the programs are attached to, without a process in it: sockets are made in it. */
export interface ProbeCgroup {
  readonly fd: number;
  readonly id: bigint;
}

export interface ProgramFindings {
  readonly cgroup: Finding<ProbeCgroup>;
  readonly setRetval: Finding<boolean>;
  readonly datapath: Finding<Datapath>;
  /** The marks on the agent's own sockets, by file descriptor. */
  readonly marks: Finding<KernelMap<number, number>>;
  /** Hooks that the programs are on, by name. */
  readonly hooks: ReadonlyMap<string, Finding<null>>;
}

export interface ProgramNeeds {
  readonly shim: Finding<Shim>;
  readonly privileged: Finding<null>;
  /** Where cgroup v2 is mounted. */
  readonly cgroup2: Finding<string>;
  /** How records are published (`ArrayOfMaps.publish`). */
  readonly publishThreads: Finding<number>;
}

export async function checkPrograms(
  { check }: Section,
  { shim, privileged, cgroup2, publishThreads }: ProgramNeeds,
  stack: AsyncDisposableStack,
): Promise<ProgramFindings> {
  const cgroup = await check(
    {
      id: "programs.cgroup",
      title: "a cgroup for the probes",
      remedy: "see that root may create directories in cgroup v2",
    },
    [shim, cgroup2, privileged],
    async (shim, mount) => {
      await removeLeftoverCgroups(mount, cgroupPrefix);
      const made = stack.use(createCgroup(mount, ownedName(cgroupPrefix, "probes")));
      const fd = openDirectory(shim, made.path);
      stack.defer(() => closeFd(shim, fd));
      return { value: { fd, id: cgroupId(made.path) }, detail: `${made.path}, removed at the end` };
    },
  );
  const setRetval = await check(
    {
      id: "programs.set_retval",
      title: "an errno for refusals (bpf_set_retval)",
      remedy: "see dmesg",
      optional: true,
    },
    [shim, privileged],
    (shim) => {
      const { setRetval } = probeFeatures(shim);
      if (setRetval) return { value: true, detail: "EHOSTUNREACH" };
      return {
        value: false,
        detail: "not in this kernel: a refused connect gets EPERM",
        warning: "nothing need be done where applications can live with EPERM; Linux 5.18 has it",
      };
    },
  );
  const kernelTypes = await check(
    {
      id: "programs.kernel_types",
      title: "the kernel's own types (BTF)",
      remedy: "see dmesg",
      optional: true,
    },
    [shim, privileged],
    (shim) => {
      const { kernelTypes } = probeFeatures(shim);
      if (kernelTypes) return { value: true, detail: "failed connects can be told apart" };
      return {
        value: false,
        detail: "not in this kernel: endpoints that refuse connections are not set aside",
        warning: "use a distribution's kernel: it is built with CONFIG_DEBUG_INFO_BTF",
      };
    },
  );
  const datapath = await check(
    {
      id: "programs.mesh",
      title: "a mesh of two services in the kernel",
      remedy: "see the checks of section Kernel",
    },
    [shim, cgroup, publishThreads],
    async (shim, cgroup, publishThreads) => {
      const datapath = openDatapath(shim, {
        paths: pinPaths(nowhere),
        sizes,
        socketSizes,
        cgroup,
        features: probeFeatures(shim),
        consecutiveFailures: 1,
        publishThreads,
        watermarks: defaultWatermarks,
        maxRecords: sizes.records,
      });
      stack.defer(() => datapath.close());
      const report = await datapath.flush(probeMesh());
      await datapath.settle();
      return { value: datapath, detail: `flushed in ${report.durationMs.toFixed(1)} ms` };
    },
  );
  const object = await check(
    {
      id: "programs.load",
      title: "programs loaded",
      remedy:
        "this kernel's verifier does not take weft's programs: use Linux 5.15 or later, and report it " +
        "with the output of weft doctor -o json if yours is",
    },
    [shim, datapath, setRetval, kernelTypes],
    async (shim, { maps, sockets }, setRetval, kernelTypes) => {
      if (maps === undefined) throw new Error("there are no maps after a flush");
      const { mptcp } = probeFeatures(shim);
      const settings = { setRetval, mptcp, ranges: true, consecutiveFailures: kernelTypes ? 1 : 0 };
      const load = async () => stack.use(await loadPrograms(shim, maps, sockets, settings));
      const started = performance.now();
      const first = await load();
      const elapsed = performance.now() - started;
      return { value: { first, second: await load() }, detail: `in ${elapsed.toFixed(0)} ms` };
    },
  );
  await check(
    {
      id: "programs.jit",
      title: "programs compiled (JIT)",
      remedy: "sysctl net.core.bpf_jit_enable=1: interpreted programs cost several times more per connection",
      optional: true,
    },
    [object],
    ({ first }) => {
      const fd = first.program(first.hooks[0].program);
      const info = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
      if (!/^prog_jited:\s+1/m.test(info)) throw new CheckFailed("the kernel interprets them");
      return { value: null, detail: "the kernel runs them as machine code" };
    },
  );
  const marks = await check(
    {
      id: "programs.sk_storage",
      title: "a mark on a socket (sk_storage)",
      remedy: "use a distribution's kernel, 5.15 or later",
    },
    [shim, object],
    (shim, { first }) => {
      using socket = openSocket(shim, { domain: AF_INET, type: SOCK_STREAM });
      const marks = exemptSockets(shim, first);
      marks.update(socket.fd, 1);
      if (marks.lookup(socket.fd) !== 1) throw new CheckFailed("the mark is not there");
      return { value: marks, detail: "set and read" };
    },
  );
  const attached = new Map<string, Finding<null>>();
  for (const hook of hooksInUse(!kernelTypes.found || kernelTypes.value)) {
    attached.set(
      hook.name,
      await check(
        {
          id: `programs.${hook.name}`,
          title: `hook ${hook.name}`,
          remedy: "use a distribution's kernel, 5.15 or later, with CONFIG_CGROUP_BPF",
          remedies: {
            EPERM:
              "a program that was attached without BPF_F_ALLOW_MULTI to a cgroup above shuts others out: " +
              "see section Other programs, and detach it or have it attached by a link",
          },
        },
        [shim, cgroup, object],
        (shim, cgroup, objects) => {
          exerciseHook(shim, cgroup, objects, hook);
          const program = objects.first.program(hook.program);
          const link = createLink(shim, program, cgroup.fd, hook.attachType, hook.name);
          stack.defer(() => closeFd(shim, link));
          return { value: null, detail: "attached, replaced, detached" };
        },
      ),
    );
  }
  return { cgroup, setRetval, datapath, marks, hooks: attached };
}

/** The programs twice, over the same maps: what runs, and what an upgrade would bring. */
interface Objects {
  readonly first: LoadedPrograms;
  readonly second: LoadedPrograms;
}

/** The marks on the agent's own sockets, by file descriptor. */
function exemptSockets(shim: Shim, object: LoadedObject): KernelMap<number, number> {
  return new KernelMap(shim, object.map("exempt_sockets"), { name: "exempt_sockets", key: u32, value: u32 });
}

/** Attaches a program by a link, replaces it, takes it off, and asks the kernel after each step. */
function exerciseHook(
  shim: Shim,
  cgroup: ProbeCgroup,
  { first, second }: Objects,
  { name, attachType, program }: Hook,
): void {
  const ids = [first, second].map((object) => programInfo(shim, object.program(program)).id);
  const link = createLink(shim, first.program(program), cgroup.fd, attachType, name);
  const expect = (wanted: number | undefined, step: string) => {
    const running = queryPrograms(shim, cgroup.fd, attachType, name).filter((id) => ids.includes(id));
    if (running.join() !== `${wanted ?? ""}`) {
      throw new CheckFailed(`${step}, the hook runs ${running.join(", ") || "none"} of weft's programs`);
    }
  };
  try {
    expect(ids[0], `after attaching program ${ids[0]}`);
    updateLink(shim, link, second.program(program), name);
    expect(ids[1], `after replacing it by program ${ids[1]}`);
    if (linkInfo(shim, link).cgroupId !== cgroup.id) throw new CheckFailed("the link names another cgroup");
    detachLink(shim, link, name);
    expect(undefined, "after detaching");
  } finally {
    closeFd(shim, link);
  }
}
