import type { Args, ParseOptions } from "./parse_args.ts";

export function parseArgs(args: string[], options?: ParseOptions): Args;
