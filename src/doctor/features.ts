/** What weft uses where the kernel has it, and does without where not. */

import type { CheckResult } from "./check.ts";

export interface Feature {
  /** `null`: it could not be found out, as something else did not work. */
  readonly available: boolean | null;
  /** The first kernel that has it, by the kernel's history; `null`: it hangs on settings, not on the kernel's age. */
  readonly since: string | null;
  /** What it is like without it. */
  readonly without: string;
}

/** By name: the check that tells (`ok`: there; `warning`: not there), since when, and what it is like without. */
const features: Readonly<Record<string, readonly [check: string, since: string | null, without: string]>> = {
  setRetval: ["programs.set_retval", "5.18", "refused connections get EPERM, not EHOSTUNREACH"],
  publishInBatches: ["kernel.publish_batch", "5.19", "records are published one by one, on threads"],
  onePublishWait: ["kernel.publish_wait", "6.8", "large changes wait for several grace periods"],
  setAside: ["programs.kernel_types", null, "endpoints that refuse connections are not set aside"],
  jit: ["programs.jit", null, "each connection costs several times more"],
  ipv6: ["connections.ipv6", null, "only IPv4 is balanced"],
};

/** @param results of all checks */
export function featuresOf(results: readonly CheckResult[]): Readonly<Record<string, Feature>> {
  const statusOf = new Map(results.map(({ id, status }) => [id, status]));
  return Object.fromEntries(
    Object.entries(features).map(([name, [check, since, without]]) => {
      const status = statusOf.get(check);
      const available = status === "ok" ? true : status === "warning" ? false : null;
      return [name, { available, since, without }];
    }),
  );
}
