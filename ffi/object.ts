/** BPF objects: open from memory, size, share maps, load. */

import { check, KernelError } from "./kernel_error.ts";
import { cstring, payload, type Shim } from "./shim.ts";

const logSize = 64 * 1024;

export interface ObjectOptions {
  /** Maps that exist already, by name: used instead of new ones. */
  readonly reuse: ReadonlyMap<string, number>;
  /** The bytes of read-only data sections, by the section's name. */
  readonly readOnly: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** A loaded object. Its file descriptors close with it; what is pinned or linked stays. */
export interface LoadedObject extends Disposable {
  readonly name: string;
  map(name: string): number;
  program(name: string): number;
}

/**
 * Loads `<name>.bpf.o` of the payload, on another thread: the kernel's verifier takes some tens of milliseconds.
 *
 * @throws {KernelError} with the verifier's log, where the kernel refuses it
 */
export async function loadObject(shim: Shim, name: string, options: ObjectOptions): Promise<LoadedObject> {
  const { call } = shim;
  const bytes = payload(`${name}.bpf.o`);
  const log = new Uint8Array(logSize);
  const handle = new BigUint64Array(1);
  const what = `BPF object ${name}`;
  const logText = () => new TextDecoder().decode(log.subarray(0, log.indexOf(0)));
  const opened = call.weft_object_open(bytes, BigInt(bytes.length), cstring(name), log, logSize, handle);
  if (opened < 0) throw new KernelError("open", what, -opened, logText());
  const pointer = Deno.UnsafePointer.create(handle[0]);
  const close = () => void call.weft_object_close(pointer);
  try {
    for (const [map, fd] of options.reuse) {
      check(call.weft_object_reuse_map(pointer, cstring(map), fd), `reuse map ${map} in`, what);
    }
    for (const [section, bytes] of options.readOnly) {
      const result = call.weft_object_set_initial(pointer, cstring(section), 0, bytes, bytes.length);
      check(result, `set section ${section} of`, what);
    }
    const loaded = await call.weft_object_load(pointer, log, logSize);
    // Also where nothing went wrong: the other thread writes it, so it must be in use until here.
    const said = logText();
    if (loaded < 0) throw new KernelError("load", what, -loaded, said);
  } catch (error) {
    close();
    throw error;
  }
  return {
    name,
    map: (map) => check(call.weft_object_map(pointer, cstring(map)), `find map ${map} in`, what),
    program: (program) =>
      check(call.weft_object_program(pointer, cstring(program)), `find program ${program} in`, what),
    [Symbol.dispose]: close,
  };
}

/** Whether programs of a type (enum bpf_prog_type) may call a helper (enum bpf_func_id) on this kernel: tried, not guessed. */
export function hasHelper(shim: Shim, programType: number, helper: number): boolean {
  return check(shim.call.weft_probe_helper(programType, helper), "probe", `BPF helper ${helper}`) === 1;
}
