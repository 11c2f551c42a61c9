import { errnoName, errnoWords } from "./errno.ts";

/** What to do about an error, where more can be said than to ask `weft doctor`. */
const remedies: ReadonlyMap<string, string> = new Map([
  ["EPERM", "run as root, outside containers that take capabilities away; weft doctor says what is missing"],
  ["ENOMEM", "raise the memory limit of the agent's cgroup (systemd: MemoryMax=), or give it a smaller mesh"],
  ["EMFILE", "raise the limit of open files (systemd: LimitNOFILE=)"],
  ["ENOLINK", "restart the agent: it makes a new link"],
]);

/** The kernel (or libbpf) refused something. The message names the operation, the object and the reason. */
export class KernelError extends Error {
  override readonly name = "KernelError";
  /** Positive. */
  readonly errno: number;
  /** Such as `ENOENT`. */
  readonly code: string;
  readonly remedy: string;
  /** What libbpf and the verifier said, where they said something. */
  readonly log: string;

  /**
   * @param operation what was tried, such as `update`
   * @param object on what, such as `map frontends`
   * @param errno positive
   */
  constructor(readonly operation: string, readonly object: string, errno: number, log = "") {
    const code = errnoName(errno);
    const lastWords = log.trim().split("\n").filter((line) => !/^-- |^processed /.test(line)).slice(-4).join(
      "; ",
    );
    super(`${operation} ${object}: ${errnoWords(errno)} (${code})${lastWords ? `: ${lastWords}` : ""}`);
    this.errno = errno;
    this.code = code;
    this.remedy = remedies.get(code) ?? "weft doctor says what this kernel and host can do";
    this.log = log;
  }
}

/** Gives a shim call's result back, or throws what its negative errno means. */
export function check(result: number, operation: string, object: string): number {
  if (result < 0) throw new KernelError(operation, object, -result);
  return result;
}
