import { errnoName, errnoWords } from "./errno.ts";

/** The kernel (or libbpf) refused something. The message names the operation, the object and the reason. */
export class KernelError extends Error {
  override readonly name = "KernelError";
  /** Positive. */
  readonly errno: number;
  /** Such as `ENOENT`. */
  readonly code: string;
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
    this.log = log;
  }
}

/** Gives a shim call's result back, or throws what its negative errno means. */
export function check(result: number, operation: string, object: string): number {
  if (result < 0) throw new KernelError(operation, object, -result);
  return result;
}
