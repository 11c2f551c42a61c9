/** The shim, loaded: libshim/weft.h as TypeScript sees it. */

import { check } from "./kernel_error.ts";

const symbols = {
  weft_object_open: { parameters: ["buffer", "u64", "buffer", "buffer", "u32", "buffer"], result: "i32" },
  weft_object_reuse_map: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  weft_object_set_initial: { parameters: ["pointer", "buffer", "u32", "buffer", "u32"], result: "i32" },
  weft_object_load: { parameters: ["pointer", "buffer", "u32"], result: "i32", nonblocking: true },
  weft_object_map: { parameters: ["pointer", "buffer"], result: "i32" },
  weft_object_program: { parameters: ["pointer", "buffer"], result: "i32" },
  weft_object_close: { parameters: ["pointer"], result: "i32" },
  weft_probe_helper: { parameters: ["i32", "i32"], result: "i32" },
  weft_link_create: { parameters: ["i32", "i32", "i32"], result: "i32" },
  weft_link_update: { parameters: ["i32", "i32"], result: "i32" },
  weft_link_detach: { parameters: ["i32"], result: "i32" },
  weft_link_info: { parameters: ["i32", "buffer"], result: "i32" },
  weft_pin: { parameters: ["i32", "buffer"], result: "i32" },
  weft_open_pin: { parameters: ["buffer"], result: "i32" },
  weft_program_info: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  weft_program_by_id: { parameters: ["u32"], result: "i32" },
  weft_program_query: { parameters: ["i32", "i32", "buffer", "u32"], result: "i32" },
  weft_enable_stats: { parameters: [], result: "i32" },
  weft_word_writer: { parameters: ["i32", "u32", "i32"], result: "i32" },
  weft_write_words: { parameters: ["i32", "u32", "buffer", "buffer"], result: "i32" },
  weft_map_create: { parameters: ["i32", "buffer", "u32", "u32", "u32", "u32", "i32"], result: "i32" },
  // The kernel takes milliseconds for a large one.
  weft_map_create_aside: {
    name: "weft_map_create",
    parameters: ["i32", "buffer", "u32", "u32", "u32", "u32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  weft_map_info: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  weft_map_memory: { parameters: ["i32", "buffer"], result: "i32" },
  weft_map_by_id: { parameters: ["u32"], result: "i32" },
  weft_map_lookup: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  weft_map_update: { parameters: ["i32", "buffer", "buffer", "u64"], result: "i32" },
  weft_map_delete: { parameters: ["i32", "buffer"], result: "i32" },
  weft_map_update_batch: { parameters: ["i32", "buffer", "buffer", "buffer"], result: "i32" },
  weft_map_delete_batch: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  weft_map_lookup_batch: {
    parameters: ["i32", "buffer", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  weft_map_count_words: { parameters: ["i32", "u32", "u32", "u32", "u32"], result: "i64" },
  // What waits for RCU grace periods is on a thread of its own.
  weft_map_publish: {
    parameters: ["i32", "buffer", "buffer", "u32", "u32"],
    result: "i32",
    nonblocking: true,
  },
  weft_map_publish_new: {
    parameters: ["i32", "buffer", "u32", "u32", "buffer", "buffer", "buffer", "u32", "u32"],
    result: "i32",
    nonblocking: true,
  },
  weft_map_read_slots_aside: {
    name: "weft_map_read_slots",
    parameters: ["i32", "buffer", "u32", "u32"],
    result: "i32",
    nonblocking: true,
  },
  weft_map_read_slots: { parameters: ["i32", "buffer", "u32", "u32"], result: "i32" },
  weft_grace_period: { parameters: [], result: "i32", nonblocking: true },
  weft_ring_open: { parameters: ["i32", "buffer"], result: "i32" },
  weft_ring_read: { parameters: ["pointer", "buffer", "u32", "buffer"], result: "i32" },
  weft_ring_close: { parameters: ["pointer"], result: "i32" },
  weft_socket: { parameters: ["i32", "i32", "i32", "i32", "i32"], result: "i32" },
  weft_netns_create: { parameters: [], result: "i32" },
  weft_mount_bpffs: { parameters: ["buffer"], result: "i32" },
  weft_lock_file: { parameters: ["buffer"], result: "i32" },
  weft_open_directory: { parameters: ["buffer"], result: "i32" },
  weft_close: { parameters: ["i32"], result: "i32" },
  weft_socket_timeout: { parameters: ["i32", "u32"], result: "i32" },
  weft_socket_bind: { parameters: ["i32", "buffer"], result: "i32" },
  weft_socket_listen: { parameters: ["i32"], result: "i32" },
  weft_socket_accept: { parameters: ["i32"], result: "i32" },
  weft_socket_connect: { parameters: ["i32", "buffer"], result: "i32" },
  weft_socket_send: { parameters: ["i32", "buffer", "u32", "buffer"], result: "i32" },
  weft_socket_receive: { parameters: ["i32", "buffer", "u32", "buffer"], result: "i32" },
  weft_socket_name: { parameters: ["i32", "buffer"], result: "i32" },
  weft_socket_peer: { parameters: ["i32", "buffer"], result: "i32" },
} as const;

/** The shim's functions, and how many system calls on maps went through it (each map call is one `bpf()`). */
export interface Shim extends Disposable {
  readonly call: Deno.DynamicLibrary<typeof symbols>["symbols"];
  /** Counts `bpf()` calls by map and operation, such as `frontends.update_batch`. */
  readonly count: (what: string) => void;
  /** The counts so far. */
  readonly counts: ReadonlyMap<string, number>;
}

/** What travels with the program: in `build/` beside the sources, and inside the compiled binary at the same place. */
export function payload(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`../build/${name}`, import.meta.url));
}

const text = new TextEncoder();

/** A NUL-terminated string. */
export function cstring(value: string): Uint8Array<ArrayBuffer> {
  return text.encode(`${value}\0`);
}

/**
 * Puts a library into an anonymous file and loads it from there: nothing is written where others could replace it, and a
 * compiled binary needs no files beside it.
 *
 * The dynamic linker knows a loaded library by its SONAME, so those that the shim needs are found once they are loaded. It
 * also knows it by the path it was loaded from: the file stays open, so that no other gets the same number.
 */
function loadFromMemory<S extends Deno.ForeignLibraryInterface>(
  name: string,
  symbols: S,
): Deno.DynamicLibrary<S> {
  const libc = Deno.dlopen("libc.so.6", {
    memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  });
  const closeOnExec = 1;
  const fd = libc.symbols.memfd_create(cstring(name), closeOnExec);
  libc.close();
  if (fd < 0) throw new Error(`memfd_create failed for ${name}: no memory, or no file descriptor left`);
  const path = `/proc/self/fd/${fd}`;
  Deno.writeFileSync(path, payload(name));
  return Deno.dlopen(path, symbols);
}

/** Loads the shim and the libraries it needs. */
export function openShim(): Shim {
  const needed = ["libz.so.1", "libelf.so.1", "libbpf.so.1"].map((name) => loadFromMemory(name, {}));
  const library = loadFromMemory("libweft.so", symbols);
  const counts = new Map<string, number>();
  return {
    call: library.symbols,
    count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
    counts,
    [Symbol.dispose]: () => {
      library.close();
      for (const one of needed.reverse()) one.close();
    },
  };
}

/** A call on another thread holds no reference to its buffers: they must be in use until it is done. */
export function keepUntilHere(..._buffers: ArrayBufferView[]): void {}

/** Closes a file descriptor of the shim's. */
export function closeFd(shim: Shim, fd: number): void {
  check(shim.call.weft_close(fd), "close", `file descriptor ${fd}`);
}

/** Opens a directory, such as a cgroup's; the file descriptor is the caller's. */
export function openDirectory(shim: Shim, path: string): number {
  return check(shim.call.weft_open_directory(cstring(path)), "open", path);
}

/** Mounts a bpf filesystem. */
export function mountBpffs(shim: Shim, path: string): void {
  check(shim.call.weft_mount_bpffs(cstring(path)), "mount a bpf filesystem at", path);
}

/** Locks a file (made if need be, mode 0600) while the descriptor is open; `undefined` where somebody else has it. */
export function lockFile(shim: Shim, path: string): number | undefined {
  const fd = shim.call.weft_lock_file(cstring(path));
  const EWOULDBLOCK = 11;
  return fd === -EWOULDBLOCK ? undefined : check(fd, "lock", path);
}
