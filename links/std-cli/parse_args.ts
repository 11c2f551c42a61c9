/**
 * `@std/cli/parse-args`: the real code, from its untyped copy on npm, with the part of its types that weft uses.
 *
 * @module
 */

// @ts-types="./parse_args_untyped.d.ts"
import { parseArgs as parseUntyped } from "deno-std/cli/parse_args.js";

/** How {@linkcode parseArgs} reads the arguments. */
export interface ParseOptions {
  /** Put what follows `--` under the key `--` of the result instead of `_`. @default {false} */
  "--"?: boolean;
  /** Other names of a flag; each holds the same value in the result. */
  alias?: Record<string, string | readonly string[]>;
  /** Flags that take no value. They are `false` when absent (`[]` when they are also collected). */
  boolean?: string | readonly string[];
  /** Flags whose values are kept in an array, one entry for each time the flag was given. */
  collect?: string | readonly string[];
  /** Values of flags that were not given. */
  default?: Record<string, unknown>;
  /** Flags that `--no-NAME` sets to `false`. */
  negatable?: string | readonly string[];
  /** Stop at the first argument that is no flag; it and all that follows go to `_`. @default {false} */
  stopEarly?: boolean;
  /** Flags whose value stays a string also where it looks like a number; `_` means the positional arguments. */
  string?: string | readonly string[];
  /** Called for what no option names; what it answers `false` to is left out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The flags by name, and the positional arguments in `_`. */
export interface Args {
  [flag: string]: unknown;
  _: (string | number)[];
}

/**
 * Reads command line arguments.
 *
 * @param args The arguments, without the program's name.
 * @param options Which flags there are and what they hold.
 */
export function parseArgs(args: string[], options?: ParseOptions): Args {
  return parseUntyped(args, options);
}
