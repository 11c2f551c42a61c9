/** The host lacks something, or refused it. The message says what, where and what to do about it. */
export class HostError extends Error {
  override readonly name = "HostError";

  /** @param remedy what the reader can do, as a sentence or a command */
  constructor(problem: string, readonly remedy: string, options?: ErrorOptions) {
    super(`${problem}; ${remedy}`, options);
  }
}
