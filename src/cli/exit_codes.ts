/** What `weft` answers to the shell. */
export const exitCodes = {
  /** Done, and what was asked is so. */
  ok: 0,
  /** It could not be done, or what was asked is not so. */
  failed: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
  /** Ended by SIGINT (128 + its number). */
  interrupted: 130,
  /** Whoever read the output went away (128 + SIGPIPE's number). */
  brokenPipe: 141,
  /** Ended by SIGTERM (128 + its number). */
  terminated: 143,
} as const;

/** The exit codes as every command's help lists them. */
export const exitCodeHelp: readonly (readonly [code: number, meaning: string])[] = [
  [exitCodes.ok, "done, and what was asked is so"],
  [exitCodes.failed, "it could not be done, or what was asked is not so"],
  [exitCodes.usage, "wrong command line; nothing was tried"],
  [exitCodes.interrupted, "interrupted by Ctrl-C (SIGTERM: 143)"],
];
