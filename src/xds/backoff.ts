/** How long to wait before the next attempt. */
export interface Backoff {
  /** The next wait, in milliseconds. */
  next(): number;
  /** The last attempt went well: begin with short waits again. */
  reset(): void;
}

export interface BackoffOptions {
  /** In milliseconds. @default {10} */
  readonly first?: number;
  /** In milliseconds. @default {15000} */
  readonly most?: number;
  /** 0..1, not 1. @default {Math.random} */
  readonly random?: () => number;
}

/** Waits that double up to a most, each drawn from the upper half of its range, so that many agents do not come back at once. */
export function createBackoff(
  { first = 10, most = 15_000, random = Math.random }: BackoffOptions = {},
): Backoff {
  let range = first;
  return {
    next: () => {
      const wait = range * (0.5 + random() / 2);
      range = Math.min(range * 2, most);
      return wait;
    },
    reset: () => {
      range = first;
    },
  };
}
