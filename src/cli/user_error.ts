import { exitCodes } from "./exit_codes.ts";

/** Something that the user can put right. Printed as two lines, without a stack trace. */
export class UserError extends Error {
  override readonly name: string = "UserError";
  /** What the process then answers to the shell. */
  readonly exitCode: number = exitCodes.failed;

  /**
   * @param message what is wrong, where, and what was expected; no full stop
   * @param remedy what to do about it; no full stop
   */
  constructor(message: string, readonly remedy?: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The command line (or a `WEFT_…` variable that stands for a part of it) is wrong. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
  override readonly exitCode = exitCodes.usage;
}
