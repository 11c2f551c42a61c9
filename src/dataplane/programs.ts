/** The programs: loaded over given maps, attached by pinned links, replaced atomically, detached. */

import {
  ArrayMap,
  closeFd,
  createLink,
  detachLink,
  hasHelper,
  HashMap,
  KernelError,
  linkInfo,
  type LoadedObject,
  loadObject,
  mapInfo,
  mmapable,
  openPin,
  openProgramById,
  pin,
  type Shim,
  u32,
  u64,
  updateLink,
  workload,
} from "../../ffi/mod.ts";
import { createMap } from "../../ffi/mod.ts";
import { type Hook, hooks, hooksInUse } from "./hooks.ts";
import { mapFds, type MeshMaps } from "./maps.ts";
import { exists, removePins } from "./pins.ts";

const programTypeSockAddr = 18; // BPF_PROG_TYPE_CGROUP_SOCK_ADDR
const helperSetRetval = 187; // BPF_FUNC_set_retval
const helperMptcpSock = 196; // BPF_FUNC_skc_to_mptcp_sock

/** What sockets remember. */
export interface SocketMaps {
  /** Which sockets have an entry in `peers`, by cookie. */
  readonly buckets: ArrayMap<workload.SocketBucket>;
  readonly peers: ArrayMap<workload.SocketPeer>;
  readonly flows: HashMap<workload.FlowKey, workload.Flow>;
  /** The most connections that a cluster may have, by the limit's id. */
  readonly connectionLimits: HashMap<number, workload.ConnectionLimit>;
  /** How many it has. */
  readonly activeConnections: HashMap<number, bigint>;
  /** Missing until the first load: libbpf creates it, as it needs type information. */
  readonly exemptFd: number | undefined;
}

/** Entries of the per-socket maps. */
export interface SocketSizes {
  /** Connected sockets; rounded up to 7 times a power of two. */
  readonly peers: number;
  readonly flows: number;
  /** Clusters that may have a limit of connections; without preallocation an empty one takes 32 bytes for each. */
  readonly connectionLimits: number;
}

export const defaultSocketSizes: SocketSizes = {
  peers: 7 * 16_384,
  flows: 16_384,
  connectionLimits: 4_096,
};

const noPreallocation = 1; // BPF_F_NO_PREALLOC

/** Flags of the per-socket maps that have some. */
const socketMapFlags: Readonly<Record<string, number>> = {
  // The agent counts its cookies whenever somebody asks.
  socket_buckets: mmapable,
  connection_limits: noPreallocation,
  active_connections: noPreallocation,
};

/** Sockets that share one bucket (BUCKET_WAYS in bpf/types.h). */
const bucketWays = workload.socketBucket.size / 8 - 1;

function bucketsFor(peers: number): number {
  let buckets = 1;
  while (buckets * bucketWays < peers) buckets *= 2;
  return buckets;
}

/** Opens the per-socket maps that are pinned, or creates them. Pinned ones keep their size: sockets refer to them. */
export function openSocketMaps(shim: Shim, directory: string, sizes: SocketSizes): SocketMaps {
  const open = (
    name: "socket_buckets" | "socket_peers" | "flows" | "connection_limits" | "active_connections",
    keySize: number,
    value: { size: number },
    entries: number,
  ) =>
    openPin(shim, `${directory}/${name}`) ??
      createMap(shim, {
        type: workload.mapTypes[name],
        name,
        keySize,
        valueSize: value.size,
        maxEntries: entries,
        flags: socketMapFlags[name] ?? 0,
      });
  const { connectionLimit, flowKey, flow, socketBucket, socketPeer } = workload;
  const buckets = bucketsFor(sizes.peers);
  return {
    buckets: new ArrayMap(shim, open("socket_buckets", 4, socketBucket, buckets), {
      name: "socket_buckets",
      value: socketBucket,
    }),
    peers: new ArrayMap(shim, open("socket_peers", 4, socketPeer, buckets * bucketWays), {
      name: "socket_peers",
      value: socketPeer,
    }),
    flows: new HashMap(shim, open("flows", flowKey.size, flow, sizes.flows), {
      name: "flows",
      key: flowKey,
      value: flow,
    }),
    connectionLimits: new HashMap(
      shim,
      open("connection_limits", 4, connectionLimit, sizes.connectionLimits),
      { name: "connection_limits", key: u32, value: connectionLimit },
    ),
    activeConnections: new HashMap(shim, open("active_connections", 4, u64, sizes.connectionLimits), {
      name: "active_connections",
      key: u32,
      value: u64,
    }),
    exemptFd: openPin(shim, `${directory}/exempt_sockets`),
  };
}

/** Features of the kernel that the programs use where they are. */
export interface Features {
  /** A refusal can have an errno of its own; otherwise it is EPERM. */
  readonly setRetval: boolean;
  /** The kernel tells its own types (BTF), which sockops needs for a socket's error. */
  readonly kernelTypes: boolean;
  /** There is MPTCP, and its connections can be told from others: nobody is told when one ends. */
  readonly mptcp: boolean;
}

export function probeFeatures(shim: Shim): Features {
  const kernelTypes = exists("/sys/kernel/btf/vmlinux");
  return {
    setRetval: hasHelper(shim, programTypeSockAddr, helperSetRetval),
    kernelTypes,
    // A kernel without MPTCP may have the helper, but not the type of what it returns.
    mptcp: kernelTypes && exists("/proc/sys/net/mptcp") &&
      hasHelper(shim, programTypeSockAddr, helperMptcpSock),
  };
}

/** What the programs are told when they are loaded. */
export interface ProgramSettings extends Pick<Features, "setRetval" | "mptcp"> {
  /** Whether they look into map ranges at all. */
  readonly ranges: boolean;
  /** After how many failed connects in a row an endpoint is told of; 0: nobody watches, and there is no sockops. */
  readonly consecutiveFailures: number;
}

/** The programs of all hooks that are in use. */
export interface LoadedPrograms extends LoadedObject {
  readonly hooks: readonly Hook[];
}

/**
 * Loads the programs over these maps.
 *
 * @param object what is loaded as `workload`; tests have one of their own
 * @throws {KernelError} with the verifier's log
 */
export async function loadPrograms(
  shim: Shim,
  maps: MeshMaps,
  sockets: SocketMaps,
  { ranges, setRetval, mptcp, consecutiveFailures }: ProgramSettings,
  object = "workload",
): Promise<LoadedPrograms> {
  const settings = new Uint8Array(workload.settings.size);
  workload.settings.write(new DataView(settings.buffer), 0, {
    bucketMask: sockets.buckets.info().maxEntries - 1,
    lineMask: maps.frontendLines.count - 1,
    hasRanges: ranges ? 1 : 0,
    hasSetRetval: setRetval ? 1 : 0,
    consecutiveFailures,
    hasMptcp: mptcp ? 1 : 0,
  });
  const reuse = new Map<string, number>(mapFds(maps));
  reuse.set("socket_buckets", sockets.buckets.fd);
  reuse.set("socket_peers", sockets.peers.fd);
  reuse.set("flows", sockets.flows.fd);
  reuse.set("connection_limits", sockets.connectionLimits.fd);
  reuse.set("active_connections", sockets.activeConnections.fd);
  if (sockets.exemptFd !== undefined) reuse.set("exempt_sockets", sockets.exemptFd);
  const readOnly = new Map([[".rodata.settings", settings]]);
  const workloadObject = await loadObject(shim, object, { reuse, readOnly });
  const watched = consecutiveFailures > 0;
  if (!watched) return { ...workloadObject, hooks: hooksInUse(watched) };
  try {
    reuse.set("exempt_sockets", workloadObject.map("exempt_sockets"));
    return combine(workloadObject, await loadObject(shim, "sockops", { reuse, readOnly }));
  } catch (error) {
    workloadObject[Symbol.dispose]();
    throw error;
  }
}

function combine(workloadObject: LoadedObject, sockops: LoadedObject): LoadedPrograms {
  const inSockops = new Set(hooks.filter((hook) => hook.object === "sockops").map((hook) => hook.program));
  return {
    ...workloadObject,
    hooks: hooksInUse(true),
    program: (program) => (inSockops.has(program) ? sockops : workloadObject).program(program),
    [Symbol.dispose]: () => {
      sockops[Symbol.dispose]();
      workloadObject[Symbol.dispose]();
    },
  };
}

/** Pins the per-socket maps where they are not pinned yet. */
export function pinSocketMaps(shim: Shim, object: LoadedObject, directory: string): void {
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of workload.socketMaps) {
    if (!exists(`${directory}/${name}`)) pin(shim, object.map(name), `${directory}/${name}`);
  }
}

/** The state of one hook's link. */
export type LinkState = "attached" | "severed" | "elsewhere" | "missing";

export interface HookStatus {
  readonly hook: string;
  readonly state: LinkState;
  /** Id and kernel name of the program that the link holds. */
  readonly programId: number | null;
  readonly linkId: number | null;
}

function linkPath(directory: string, hook: Hook): string {
  return `${directory}/${hook.name}`;
}

/**
 * What the kernel says of each hook's pinned link.
 *
 * @param cgroupId the cgroup that it should be on (inode number); `undefined`: any
 * @param wanted the hooks that should have one @default those that must have one, and sockops where it has
 */
export function hookStatuses(
  shim: Shim,
  directory: string,
  cgroupId: bigint | undefined,
  wanted = hooksInUse(exists(`${directory}/sockops`)),
): HookStatus[] {
  return wanted.map((hook) => {
    const fd = openPin(shim, linkPath(directory, hook));
    if (fd === undefined) return { hook: hook.name, state: "missing", programId: null, linkId: null };
    try {
      const info = linkInfo(shim, fd);
      const state = info.cgroupId === 0n
        ? "severed"
        : cgroupId !== undefined && info.cgroupId !== cgroupId
        ? "elsewhere"
        : "attached";
      return { hook: hook.name, state, programId: info.programId, linkId: info.id };
    } finally {
      closeFd(shim, fd);
    }
  });
}

/** The cgroup that the pinned links are on (inode number): 0n where it is gone, `undefined` where there are no links. */
export function attachedCgroup(shim: Shim, directory: string): bigint | undefined {
  for (const hook of hooks) {
    const fd = openPin(shim, linkPath(directory, hook));
    if (fd === undefined) continue;
    try {
      return linkInfo(shim, fd).cgroupId;
    } finally {
      closeFd(shim, fd);
    }
  }
  return undefined;
}

/** A hook whose link had to be made anew, and why. */
export interface ReplacedLink {
  readonly hook: string;
  readonly was: "severed" | "elsewhere";
}

/**
 * Puts the programs on their hooks: through the pinned link where there is a good one (one atomic replacement), else by a
 * new link that is pinned in its place. A hook that is not in use any more is left. On an error every hook is as it was.
 */
export function attachPrograms(
  shim: Shim,
  programs: LoadedPrograms,
  cgroup: { readonly fd: number; readonly id: bigint },
  directory: string,
): ReplacedLink[] {
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const replaced: ReplacedLink[] = [];
  const undo: (() => void)[] = [];
  const opened: number[] = [];
  const keepOpen = (fd: number | undefined) => {
    if (fd !== undefined) opened.push(fd);
    return fd;
  };
  try {
    for (const hook of programs.hooks) {
      const path = linkPath(directory, hook);
      const program = programs.program(hook.program);
      const existing = keepOpen(openPin(shim, path));
      const info = existing === undefined ? undefined : linkInfo(shim, existing);
      if (existing !== undefined && info?.cgroupId === cgroup.id) {
        const old = keepOpen(openProgramById(shim, info.programId));
        updateLink(shim, existing, program, hook.name);
        undo.push(() => {
          if (old !== undefined) updateLink(shim, existing, old, hook.name);
        });
        continue;
      }
      const link = createLink(shim, program, cgroup.fd, hook.attachType, hook.name);
      keepOpen(link);
      undo.push(() => {
        detachLink(shim, link, hook.name);
        removePins(`${path}-new`);
      });
      // Beside first and then over the old one, so that there is always a pinned link.
      removePins(`${path}-new`);
      pin(shim, link, `${path}-new`);
      if (info) replaced.push({ hook: hook.name, was: info.cgroupId === 0n ? "severed" : "elsewhere" });
    }
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  } finally {
    for (const fd of opened) closeFd(shim, fd);
  }
  for (const hook of hooks) {
    const path = linkPath(directory, hook);
    if (!exists(`${path}-new`)) continue;
    const old = openPin(shim, path);
    if (old !== undefined) {
      if (linkInfo(shim, old).cgroupId !== 0n) detachLink(shim, old, hook.name);
      closeFd(shim, old);
    }
    Deno.renameSync(`${path}-new`, path);
  }
  for (const hook of hooks) if (!programs.hooks.includes(hook)) detachHook(shim, directory, hook);
  return replaced;
}

/** Takes the programs off every hook and removes the links' pins. Returns how many links there were. */
export function detachPrograms(shim: Shim, directory: string): number {
  let count = 0;
  for (const hook of hooks.toReversed()) count += detachHook(shim, directory, hook);
  removePins(directory);
  return count;
}

/** Takes a program off its hook, if there is one. Returns how many links there were. */
function detachHook(shim: Shim, directory: string, hook: Hook): number {
  let count = 0;
  for (const path of [linkPath(directory, hook), `${linkPath(directory, hook)}-new`]) {
    const fd = openPin(shim, path);
    if (fd === undefined) continue;
    try {
      detachLink(shim, fd, hook.name);
      count++;
    } catch (error) {
      // A severed link has nothing to detach from.
      if (!(error instanceof KernelError)) throw error;
    } finally {
      closeFd(shim, fd);
    }
    Deno.removeSync(path);
  }
  return count;
}

/** Entries of the per-socket maps that are in force, which may not be those asked for. */
export function socketSizesOf(sockets: SocketMaps): SocketSizes {
  return {
    peers: mapInfo(sockets.peers.shim, sockets.peers.fd).maxEntries,
    flows: mapInfo(sockets.flows.shim, sockets.flows.fd).maxEntries,
    connectionLimits: sockets.connectionLimits.maxEntries,
  };
}

/** How many connected sockets have an entry now. */
export function countPeers(sockets: SocketMaps): number {
  // The cookies are what a bucket ends with.
  return sockets.buckets.countWords(workload.socketBucket.size - 8 * bucketWays, bucketWays);
}

/** Whether the maps have the size that was asked for. */
export function haveSize(sockets: SocketMaps, wanted: SocketSizes): boolean {
  const have = socketSizesOf(sockets);
  return have.peers === bucketsFor(wanted.peers) * bucketWays && have.flows === wanted.flows &&
    have.connectionLimits === wanted.connectionLimits;
}
