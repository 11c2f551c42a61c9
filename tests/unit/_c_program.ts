/** C programs for the host that include the headers of bpf/: what tests hold TypeScript against. */

import { run } from "../../src/host/mod.ts";

const root = new URL("../..", import.meta.url).pathname;

/** A compiled program; it is deleted when it is disposed of. */
export interface CProgram extends Disposable {
  /**
   * Runs it to its end.
   *
   * @returns the lines of its standard output
   * @throws where its exit code is not 0
   */
  run(args?: readonly string[], input?: Uint8Array<ArrayBuffer>): Promise<string[]>;
}

/** Compiles `tests/unit/c/NAME.c`. */
export async function compileC(name: string): Promise<CProgram> {
  const directory = await Deno.makeTempDir({ prefix: "weft-c-" });
  const program = `${directory}/${name}`;
  const dispose = () => Deno.removeSync(directory, { recursive: true });
  try {
    await run([
      "gcc",
      ..."-O1 -std=gnu11 -Wall -Wextra -Werror".split(" "),
      `-I${root}bpf`,
      `${root}tests/unit/c/${name}.c`,
      ...["-o", program],
    ]);
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    run: async (args = [], input = new Uint8Array()) => {
      const text = await run([program, ...args], input);
      return text.split("\n").slice(0, -1);
    },
    [Symbol.dispose]: dispose,
  };
}

/**
 * Whether all of these commands are installed; says in one loud line which one is not.
 *
 * @param what is skipped without them
 */
export function haveCommands(what: string, commands: readonly string[]): boolean {
  const directories = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin"];
  const isThere = (path: string) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  };
  const missing = commands.find((command) => !directories.some((each) => isThere(`${each}/${command}`)));
  if (missing !== undefined) {
    console.log(`SKIPPED, for ${missing} is not installed (deno task setup installs it): ${what}`);
  }
  return missing === undefined;
}
