/** What a data path needs besides maps to attach itself and to move to larger maps: programs, links, and pins as files. */

import type { Shim } from "../../ffi/mod.ts";
import type { FakeKernel } from "./_fake_kernel.ts";

const ENOENT = 2, ENOMEM = 12;

/** Descriptors of programs and links: far from those of maps. */
const firstFd = 1_000_000;

interface Program {
  readonly id: number;
  readonly name: string;
  /** The ids of the maps that it uses, by name. */
  readonly maps: ReadonlyMap<string, number>;
}

interface Link {
  readonly id: number;
  program: Program;
  readonly cgroup: number;
  readonly attachType: number;
}

interface LoadedObject {
  readonly maps: Map<string, number>;
  readonly fds: number[];
}

export interface FakePrograms {
  /** The maps of the program that runs on a hook, by name. */
  mapsOn(attachType: number): ReadonlyMap<string, number> | undefined;
  /** How many descriptors of programs and links are open, and how many objects. */
  readonly open: readonly [fds: number, objects: number];
  /** Asked before a map is created: `true` makes it fail with ENOMEM. */
  failCreate: ((name: string, entries: number) => boolean) | undefined;
  /** The calls that attach or replace a program before one, and only that, fails with ENOMEM. */
  attachesLeft: number;
}

function text(buffer: unknown): string {
  const bytes = buffer as Uint8Array;
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/** Adds them to a kernel. A pin is a file that says what it holds. */
export function addPrograms({ shim: { call } }: FakeKernel): FakePrograms {
  const { weft_map_create: create, weft_close: close, weft_map_by_id: openMap, weft_map_info: info } = call;
  const objects = new Map<bigint, LoadedObject>();
  const links = new Map<number, Link>();
  const programs = new Map<number, Program>();
  const files = new Map<number, Program | Link>();
  let nextFd = firstFd;
  let nextId = 1;

  const open = (what: Program | Link) => {
    files.set(nextFd, what);
    return nextFd++;
  };
  const idOf = (mapFd: number) => {
    const out = new Uint32Array(6);
    info(mapFd, out, new Uint8Array(16));
    return out[0];
  };
  const objectOf = (pointer: Deno.PointerValue) => objects.get(Deno.UnsafePointer.value(pointer))!;
  const refuse = () => fake.attachesLeft-- === 0;

  const added: Partial<Shim["call"]> = {
    weft_map_create: (type, name, keySize, valueSize, entries, flags, inner) =>
      fake.failCreate?.(text(name), entries)
        ? -ENOMEM
        : create(type, name, keySize, valueSize, entries, flags, inner),
    weft_object_open: (_bytes, _length, _name, _log, _logSize, handle) => {
      const key = BigInt(nextId++ * 8);
      objects.set(key, { maps: new Map(), fds: [] });
      (handle as BigUint64Array)[0] = key;
      return 0;
    },
    weft_object_reuse_map: (pointer, name, fd) => {
      objectOf(pointer).maps.set(text(name), idOf(fd));
      return 0;
    },
    weft_object_set_initial: () => 0,
    weft_object_load: () => Promise.resolve(0),
    weft_object_map: (pointer, name) => {
      const { maps, fds } = objectOf(pointer);
      const id = maps.get(text(name));
      const fd = id === undefined ? create(1, name as Uint8Array<ArrayBuffer>, 8, 8, 1, 0, -1) : openMap(id);
      fds.push(fd);
      return fd;
    },
    weft_object_program: (pointer, name) => {
      const { maps, fds } = objectOf(pointer);
      const program = { id: nextId++, name: text(name), maps };
      programs.set(program.id, program);
      fds.push(open(program));
      return fds.at(-1)!;
    },
    weft_object_close: (pointer) => {
      for (const fd of objectOf(pointer).fds) call.weft_close(fd);
      objects.delete(Deno.UnsafePointer.value(pointer));
      return 0;
    },
    weft_program_by_id: (id) => open(programs.get(id)!),
    weft_link_create: (program, cgroup, attachType) => {
      if (refuse()) return -ENOMEM;
      const link = { id: nextId++, program: files.get(program) as Program, cgroup, attachType };
      links.set(attachType, link);
      return open(link);
    },
    weft_link_update: (link, program) => {
      if (refuse()) return -ENOMEM;
      (files.get(link) as Link).program = files.get(program) as Program;
      return 0;
    },
    weft_link_detach: (link) => links.delete((files.get(link) as Link).attachType) ? 0 : -ENOENT,
    weft_link_info: (fd, out) => {
      const { id, program, cgroup, attachType } = files.get(fd) as Link;
      (out as BigUint64Array).set([BigInt(id), BigInt(program.id), BigInt(cgroup), BigInt(attachType)]);
      return 0;
    },
    weft_pin: (fd, path) => {
      const what = files.get(fd);
      const link = what && "program" in what;
      Deno.writeTextFileSync(text(path), link ? `link ${what.attachType}` : `map ${idOf(fd)}`, {
        createNew: true,
      });
      return 0;
    },
    weft_open_pin: (path) => {
      try {
        const [kind, id] = Deno.readTextFileSync(text(path)).split(" ");
        return kind === "link" ? open(links.get(Number(id))!) : openMap(Number(id));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return -ENOENT;
        throw error;
      }
    },
    weft_close: (fd) => fd < firstFd ? close(fd) : files.delete(fd) ? 0 : -ENOENT,
  };
  Object.assign(call, added);

  const fake: FakePrograms = {
    mapsOn: (attachType) => links.get(attachType)?.program.maps,
    get open() {
      return [files.size, objects.size] as const;
    },
    failCreate: undefined,
    attachesLeft: Infinity,
  };
  return fake;
}
