/** Programs on cgroup hooks, pins, and what the kernel says of them. */

import { check } from "./kernel_error.ts";
import { cstring, type Shim } from "./shim.ts";

const ENOENT = 2;

/** What the kernel says of a cgroup link. */
export interface LinkInfo {
  readonly id: number;
  readonly programId: number;
  /** The inode number of the cgroup's directory; 0n where the cgroup is gone and the link severed for good. */
  readonly cgroupId: bigint;
  /** enum bpf_attach_type */
  readonly attachType: number;
}

/** Attaches a program to a cgroup; the link lives as long as the descriptor or a pin. */
export function createLink(
  shim: Shim,
  programFd: number,
  cgroupFd: number,
  attachType: number,
  hook: string,
): number {
  return check(
    shim.call.weft_link_create(programFd, cgroupFd, attachType),
    "attach program to",
    `hook ${hook}`,
  );
}

/** Replaces a link's program atomically. @throws {KernelError} ENOLINK where the link is severed */
export function updateLink(shim: Shim, linkFd: number, programFd: number, hook: string): void {
  check(shim.call.weft_link_update(linkFd, programFd), "replace the program on", `hook ${hook}`);
}

/** Takes the program off its hook, whoever else holds the link. */
export function detachLink(shim: Shim, linkFd: number, hook: string): void {
  check(shim.call.weft_link_detach(linkFd), "detach program from", `hook ${hook}`);
}

export function linkInfo(shim: Shim, linkFd: number): LinkInfo {
  const out = new BigUint64Array(4);
  check(shim.call.weft_link_info(linkFd, out), "read information on", `link with file descriptor ${linkFd}`);
  return { id: Number(out[0]), programId: Number(out[1]), cgroupId: out[2], attachType: Number(out[3]) };
}

/** Pins a map, program or link. */
export function pin(shim: Shim, fd: number, path: string): void {
  check(shim.call.weft_pin(fd, cstring(path)), "pin", path);
}

/** Opens what is pinned; `undefined` where nothing is. */
export function openPin(shim: Shim, path: string): number | undefined {
  const fd = shim.call.weft_open_pin(cstring(path));
  if (fd === -ENOENT) return undefined;
  return check(fd, "open the pin", path);
}

export interface ProgramInfo {
  readonly id: number;
  /** enum bpf_prog_type */
  readonly type: number;
  readonly name: string;
  /** Counted only while somebody has statistics enabled. */
  readonly runTimeNs: number;
  readonly runs: number;
}

export function programInfo(shim: Shim, programFd: number): ProgramInfo {
  const out = new BigUint64Array(5);
  const name = new Uint8Array(16);
  check(shim.call.weft_program_info(programFd, out, name), "read information on", `program ${programFd}`);
  return {
    id: Number(out[0]),
    type: Number(out[1]),
    name: new TextDecoder().decode(name.subarray(0, name.indexOf(0))),
    runTimeNs: Number(out[3]),
    runs: Number(out[4]),
  };
}

/** Opens a program by its id; `undefined` where it is gone. */
export function openProgramById(shim: Shim, id: number): number | undefined {
  const fd = shim.call.weft_program_by_id(id);
  if (fd === -ENOENT) return undefined;
  return check(fd, "open", `program with id ${id}`);
}

/** Ids of all programs that run for a cgroup on a hook, its ancestors' included. */
export function queryPrograms(shim: Shim, cgroupFd: number, attachType: number, hook: string): number[] {
  const ids = new Uint32Array(64);
  const count = shim.call.weft_program_query(cgroupFd, attachType, ids, ids.length);
  check(count, "list programs on", `hook ${hook}`);
  return [...ids.subarray(0, Math.min(count, ids.length))];
}
