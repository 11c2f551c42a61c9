/** Resources that are waited for, each for 15 seconds: then it counts as not there, and may still come. */

const patienceMs = 15_000;

export interface Missing {
  /** What is missing now; what is new begins to be waited for. */
  update(names: ReadonlySet<string>, now: Date): void;
  /** A stream begins: all that was not given up is waited for anew. */
  restart(now: Date): void;
  /** @returns whether anything was given up that was waited for */
  expire(now: Date): boolean;
  gaveUp(name: string): boolean;
  /** Nothing is missing that is still waited for. */
  readonly settled: boolean;
  /** What was given up, for people. */
  readonly givenUp: readonly string[];
}

export function createMissing(): Missing {
  /** Name → since when, in milliseconds; `undefined` once given up. */
  const since = new Map<string, number | undefined>();
  return {
    update: (names, now) => {
      for (const name of [...since.keys()]) if (!names.has(name)) since.delete(name);
      for (const name of names) if (!since.has(name)) since.set(name, now.getTime());
    },
    restart: (now) => {
      for (const [name, start] of since) if (start !== undefined) since.set(name, now.getTime());
    },
    expire: (now) => {
      const due = [...since].filter(([, start]) =>
        start !== undefined && now.getTime() - start >= patienceMs
      );
      for (const [name] of due) since.set(name, undefined);
      return due.length > 0;
    },
    gaveUp: (name) => since.has(name) && since.get(name) === undefined,
    get settled() {
      return [...since.values()].every((start) => start === undefined);
    },
    get givenUp() {
      return [...since].filter(([, start]) => start === undefined).map(([name]) => name);
    },
  };
}
