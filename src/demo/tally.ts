/** What the client's calls came to, over time. */

import type { CallCount } from "./call.ts";

/** Calls of one protocol and family. */
export interface KindCounts {
  /** Such as `TCP over IPv4`. */
  readonly kind: string;
  /** Answered calls by backend. */
  readonly answered: ReadonlyMap<string, number>;
  /** Unanswered calls by reason. */
  readonly unanswered: ReadonlyMap<string, number>;
}

/** All calls of some time, apart by protocol and family. */
export type Counts = readonly KindCounts[];

/** Adds a map's values up. */
export function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}

/** Adds several maps up by key. */
export function addUp(maps: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const total = new Map<string, number>();
  for (const [key, count] of maps.flatMap((map) => [...map])) total.set(key, (total.get(key) ?? 0) + count);
  return total;
}

/** Counts calls as they are told. */
export interface Tally {
  /** @param at when it was told, in milliseconds, never before what was added last @default now */
  add(calls: readonly CallCount[], at?: number): void;
  /** All calls told after a time, in milliseconds; all there are where it is left out. */
  since(at?: number): Counts;
}

/** Starts at nothing. */
export function createTally(): Tally {
  const told: { readonly at: number; readonly calls: readonly CallCount[] }[] = [];
  return {
    add: (calls, at = performance.now()) => void told.push({ at, calls }),
    since: (at = -Infinity) => {
      const first = told.findLastIndex((one) => one.at <= at) + 1;
      return count(told.slice(first).flatMap(({ calls }) => calls));
    },
  };
}

function count(calls: readonly CallCount[]): Counts {
  const kinds = new Map<string, { answered: Map<string, number>; unanswered: Map<string, number> }>();
  for (const { protocol, family, backend, error, count } of calls) {
    const kind = `${protocol} over IPv${family}`;
    const of = kinds.get(kind) ?? { answered: new Map(), unanswered: new Map() };
    kinds.set(kind, of);
    const [map, key] = backend === null ? [of.unanswered, error ?? "?"] : [of.answered, backend];
    map.set(key, (map.get(key) ?? 0) + count);
  }
  return [...kinds].map(([kind, of]) => ({ kind, ...of }));
}
