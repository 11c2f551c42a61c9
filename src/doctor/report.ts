/** What `weft doctor` found, in the shape that `-o json` prints. */

import type { CheckResult } from "./check.ts";
import type { Feature } from "./features.ts";
import type { ProgramOnHook } from "./foreign_programs.ts";

export interface DoctorReport {
  /** Whether weft can do its main job here: no check failed. */
  readonly ok: boolean;
  /** The kernel's release, as uname says it. */
  readonly kernel: string;
  /** In the order in which they ran. */
  readonly checks: readonly CheckResult[];
  /** By name. */
  readonly features: Readonly<Record<string, Feature>>;
  /** Programs of others on weft's hooks; `null`: they could not be listed. */
  readonly foreignPrograms: readonly ProgramOnHook[] | null;
}
