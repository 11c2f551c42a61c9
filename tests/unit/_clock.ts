/** Time that passes when the test says so. */
export interface Clock {
  readonly later: (ms: number, action: () => void) => () => void;
  /** How long each of what waits has to wait still, in milliseconds. */
  readonly waiting: number[];
  pass(ms: number): void;
}

export function createClock(): Clock {
  let now = 0;
  const timers = new Set<{ readonly at: number; readonly action: () => void }>();
  return {
    later: (ms, action) => {
      const timer = { at: now + ms, action };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    get waiting() {
      return [...timers].map(({ at }) => at - now);
    },
    pass: (ms) => {
      now += ms;
      for (const timer of timers) {
        if (timer.at > now) continue;
        timers.delete(timer);
        timer.action();
      }
    },
  };
}
