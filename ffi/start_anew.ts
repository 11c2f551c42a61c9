/** A process that begins anew: execve(2). */

import { check } from "./kernel_error.ts";
import { cstring, keepUntilHere } from "./shim.ts";

/** The libc's alone: what comes before anything else does not wait for the shim. */
const symbols = {
  execv: { parameters: ["buffer", "buffer"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

/**
 * Begins this process anew: the same program and arguments under the same pid, in the environment that it has now. What is open stays open
 * only where it is not to be closed on exec. A signal that somebody listens for may be lost.
 *
 * @throws {KernelError} where the kernel refuses; it does not return otherwise
 */
export function startAnew(): never {
  const program = "/proc/self/exe";
  const words = Deno.readFileSync("/proc/self/cmdline");
  const start = Deno.UnsafePointer.value(Deno.UnsafePointer.of(words));
  const pointers: bigint[] = [];
  for (let at = 0; at < words.length; at = words.indexOf(0, at) + 1) pointers.push(start + BigInt(at));
  const argv = new BigUint64Array([...pointers, 0n]);
  const { execv, __errno_location } = Deno.dlopen("libc.so.6", symbols).symbols;
  execv(cstring(program), new Uint8Array(argv.buffer));
  const errno = new Deno.UnsafePointerView(__errno_location()!).getInt32();
  // The pointers hold no reference to them.
  keepUntilHere(words);
  check(-errno, "execute", program);
  throw new Error("execv returned without an error");
}
