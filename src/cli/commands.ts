import type { Command } from "./command.ts";
import { versionCommand } from "./version_command.ts";

/** All commands but `help`, in the order in which help lists them. */
export const commands: readonly Command[] = [
  versionCommand,
];
