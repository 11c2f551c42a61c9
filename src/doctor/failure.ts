import { errnoWords, KernelError } from "../../ffi/mod.ts";
import { CheckFailed, type CheckSpec } from "./check.ts";
import { HostError } from "../host/mod.ts";

/** What a failure is called and what to do about it. */
export interface Failure {
  readonly detail: string;
  readonly remedy: string;
}

/** What these errors of the kernel mean wherever they come from. */
const remedies: Readonly<Record<string, string>> = {
  EPERM:
    "the capabilities are there, so something else forbids it (a container's seccomp profile, a security " +
    "module, kernel lockdown): run weft on the host itself, or allow bpf(2) there",
  EACCES:
    "something other than capabilities forbids it (a security module?): see the kernel's log with dmesg",
  ENOSYS: "this kernel is built without it: use a distribution's kernel, 5.15 or later",
  ENOMEM:
    "raise the limit of the memory cgroup that weft runs in (before Linux 5.11 also: ulimit -l unlimited)",
  EMFILE: "raise the limit of open files: ulimit -n, or LimitNOFILE= in the unit",
};

/** Words for what a check threw: the error's own advice first, then the check's. */
export function describeFailure(error: unknown, spec: CheckSpec): Failure {
  if (error instanceof KernelError) {
    const remedy = spec.remedies?.[error.code] ?? remedies[error.code] ?? spec.remedy;
    return { detail: withoutGuess(error), remedy };
  }
  if (error instanceof HostError) {
    // Its message ends on the remedy, for those who show nothing else.
    return { detail: error.message.replace(`; ${error.remedy}`, ""), remedy: error.remedy };
  }
  if (error instanceof CheckFailed) {
    return { detail: error.message, remedy: error.remedy ?? spec.remedy };
  }
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { detail, remedy: spec.remedy };
}

/** The message without its guess that privileges are missing: a check of its own has seen that they are there. */
function withoutGuess({ message, code, errno }: KernelError): string {
  return code === "EPERM" ? message.replace(errnoWords(errno), "not permitted") : message;
}
