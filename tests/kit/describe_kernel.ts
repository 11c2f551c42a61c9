import { describe } from "@std/testing/bdd";

/** A group of tests that needs root and the real kernel; without root it is skipped, and one line says so. */
export function describeKernel(name: string, register: () => void): void {
  if (Deno.uid() === 0) return describe(name, register);
  console.log(`skipped, for it needs root: ${name}`);
  describe.ignore(name, register);
}
