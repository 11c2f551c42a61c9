/** All checks in their order, and what comes of them. */

import { release } from "node:os";
import { openShim, type Shim } from "../../ffi/mod.ts";
import type { CheckResult, Finding } from "./check.ts";
import { type Checklist, createChecklist } from "./checklist.ts";
import { checkConnections } from "./connection_checks.ts";
import { featuresOf } from "./features.ts";
import { isWeft, type ProgramOnHook, programsOnHooks } from "./foreign_programs.ts";
import { checkHost, type HostFindings, type HostOptions } from "./host_checks.ts";
import { checkMaps } from "./map_checks.ts";
import { checkPrograms } from "./program_checks.ts";
import type { DoctorReport } from "./report.ts";
import { checkState } from "./state_checks.ts";

export interface DoctorOptions extends HostOptions {
  /** Called with each result as it comes. */
  readonly onResult: (result: CheckResult) => void;
  readonly signal: AbortSignal;
}

/**
 * Finds out what this kernel and host can do, each thing by doing it. Nothing is pinned and no address, name or process of the
 * host is touched: all but a cgroup ends with this process, and the next run removes the cgroup of a killed one.
 *
 * @throws the signal's reason, when it is aborted
 */
export async function runDoctor({ onResult, signal, ...options }: DoctorOptions): Promise<DoctorReport> {
  const checks: CheckResult[] = [];
  const checklist = createChecklist((result) => {
    checks.push(result);
    onResult(result);
  }, signal);
  await using stack = new AsyncDisposableStack();
  const host = await checkHost(checklist, options);
  const kernel = checklist.section("Kernel");
  const shim = await kernel.check(
    {
      id: "kernel.shim",
      title: "weft's library",
      remedy:
        "from source: deno task build; a compiled weft needs a system with glibc, as Debian 12 or later",
    },
    [],
    () => ({ value: stack.use(openShim()), detail: "libweft.so and libbpf loaded" }),
  );
  const publishThreads = await checkMaps(kernel, shim, host.privileged, stack);
  const programs = await checkPrograms(
    checklist.section("Programs"),
    { shim, publishThreads, privileged: host.privileged, cgroup2: host.cgroup2 },
    stack,
  );
  const section = checklist.section("Connections");
  const connections = await checkConnections(section, shim, programs, stack);
  await checkState(section, shim, programs, connections);
  const foreign = await checkForeignPrograms(checklist, shim, host);
  return {
    ok: checks.every(({ status }) => status !== "failed"),
    kernel: release(),
    checks,
    features: featuresOf(checks),
    foreignPrograms: foreign.found ? foreign.value : null,
  };
}

async function checkForeignPrograms(
  checklist: Checklist,
  shim: Finding<Shim>,
  { privileged, cgroup }: HostFindings,
): Promise<Finding<readonly ProgramOnHook[]>> {
  const { check } = checklist.section("Other programs");
  const all = await check(
    {
      id: "others.weft",
      title: "weft's own programs",
      remedy: "see dmesg",
      optional: true,
    },
    [shim, cgroup, privileged],
    (shim, { mount, path }) => {
      const all = programsOnHooks(shim, mount, path);
      const cgroups = new Set(all.filter(isWeft).map((program) => program.cgroup));
      const detail = cgroups.size === 0 ? "none attached" : `attached to ${[...cgroups].join(", ")}`;
      return { value: all, detail };
    },
  );
  return await check(
    {
      id: "others.foreign",
      title: "programs of others on the same hooks",
      remedy: "see dmesg",
      optional: true,
    },
    [all],
    (all) => {
      const foreign = all.filter((program) => !isWeft(program));
      if (foreign.length === 0) return { value: foreign, detail: "none" };
      return {
        value: foreign,
        detail: `${foreign.length} (listed below)`,
        warning:
          "they run as well as weft's: what they rewrite or refuse, weft does not see, and the other way " +
          "round; find out whose they are (bpftool prog show id ID), and switch socket load balancing off there",
      };
    },
  );
}
