/** What a check is and what comes of it. */

/**
 * - `ok`: done, and it did what it should
 * - `warning`: weft works without it, but not as well
 * - `failed`: weft cannot do its main job
 * - `skipped`: a check that this one builds on did not pass
 */
export type Status = "ok" | "warning" | "failed" | "skipped";

/** A check as its file writes it. */
export interface CheckSpec {
  /** Stable, for machines: `<section>.<name>`. */
  readonly id: string;
  /** For people, in a few words. */
  readonly title: string;
  /** What to do when it fails and nothing better is known. */
  readonly remedy: string;
  /** What to do about a certain error of the kernel, by its name, such as `EPERM`. */
  readonly remedies?: Readonly<Record<string, string>>;
  /** Whether weft does its main job without it: then its failure is a warning. @default {false} */
  readonly optional?: boolean;
}

/** What a check that did not fail gives. */
export interface Passed<T> {
  /** For the checks that build on it. */
  readonly value: T;
  /** What was found, in a few words. */
  readonly detail: string;
  /** What to do about it, where it works but not as well as it could: that makes it a warning. */
  readonly warning?: string;
}

/** One line of the report. */
export interface CheckResult {
  readonly id: string;
  readonly section: string;
  readonly title: string;
  readonly status: Status;
  /** What was found, what went wrong, or why it was skipped. */
  readonly detail: string;
  /** What to do about a warning or a failure. */
  readonly remedy: string | null;
  readonly durationMs: number;
}

/** What a check leaves for those that build on it: its value, or the title of the check that stands in the way. */
export type Finding<T> =
  | { readonly found: true; readonly value: T }
  | { readonly found: false; readonly because: string };

/** A check saw something other than what it expected. */
export class CheckFailed extends Error {
  override readonly name = "CheckFailed";

  /** @param remedy what to do about it, where that is more than the check itself says */
  constructor(problem: string, readonly remedy?: string) {
    super(problem);
  }
}
