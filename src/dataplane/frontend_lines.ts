/** Map `frontend_lines`: who has which way of which line. The kernel reads it before `frontends` (bpf/lb.h). */

import type { ArrayMap, workload } from "../../ffi/mod.ts";
import type { Steps } from "../host/mod.ts";
import { frontendTag } from "./frontend_tag.ts";

type Frontend = readonly [key: workload.FrontendKey, value: workload.Frontend];

export interface FrontendLines extends Disposable {
  readonly map: ArrayMap<workload.FrontendLine>;
  /** Lines, a power of two. */
  readonly count: number;
  /**
   * Gives frontends a way, or those that have one another value. For whole VIPs, and where no way is free, nothing is done: the kernel
   * finds those in `frontends`.
   *
   * @throws {KernelError} some may be written
   */
  put(frontends: readonly Frontend[]): void;
  /** Takes frontends out. Those that have no way are ignored. @throws {KernelError} some may be gone */
  delete(keys: readonly workload.FrontendKey[]): void;
  /** Writes every line anew, for these frontends: what it holds is not known. */
  fill(frontends: Iterable<Frontend>): Steps<void>;
  /** Goes on with what another handle of the same map knows. */
  share(other: FrontendLines): void;
  /** By way, first and second of each line. */
  readonly ways: readonly (Way | undefined)[];
}

export interface Way {
  readonly key: workload.FrontendKey;
  readonly frontend: workload.Frontend;
}

const waysOfLine = 2;

/** Lines in one system call while all are written. */
const linesAtOnce = 4096;
const free: Way = {
  key: { address: new Uint8Array(16), port: 0, protocol: 0 },
  frontend: { servicePort: 0, tag: 0 },
};

/** As many ways as there may be frontends: more memory would find few more of them a way. */
export function lineCount(frontends: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, frontends / waysOfLine)));
}

function isSame(a: workload.FrontendKey, b: workload.FrontendKey): boolean {
  return a.port === b.port && a.protocol === b.protocol &&
    a.address.every((byte, i) => byte === b.address[i]);
}

/** @param map nothing is known of what it holds: a new one is empty, any other has to be filled */
export function createFrontendLines(map: ArrayMap<workload.FrontendLine>): FrontendLines {
  const count = map.info().maxEntries;
  let ways: (Way | undefined)[] = [];

  const lineOf = (key: workload.FrontendKey) => frontendTag(key) & (count - 1);
  const waysOf = (line: number) => [line * waysOfLine, line * waysOfLine + 1] as const;
  const holds = (way: number, key: workload.FrontendKey) => {
    const held = ways[way];
    return held !== undefined && isSame(held.key, key);
  };

  function write(lines: Iterable<number>): void {
    map.updateMany([...lines].map((line) => {
      const [first, second] = waysOf(line);
      return [line, { first: ways[first] ?? free, second: ways[second] ?? free }] as const;
    }));
  }

  /** @returns the line that changes, if any does */
  function place([key, frontend]: Frontend): number[] {
    if (key.port === 0) return [];
    const line = lineOf(key);
    const both = waysOf(line);
    const way = both.find((way) => holds(way, key)) ?? both.find((way) => ways[way] === undefined);
    if (way === undefined) return [];
    ways[way] = { key, frontend };
    return [line];
  }

  return {
    map,
    count,
    put: (frontends) => write(new Set(frontends.flatMap(place))),
    delete: (keys) => {
      const lines = new Set<number>();
      for (const key of keys) {
        const line = lineOf(key);
        const way = waysOf(line).find((way) => holds(way, key));
        if (way === undefined) continue;
        ways[way] = undefined;
        lines.add(line);
      }
      write(lines);
    },
    *fill(frontends) {
      ways = [];
      for (const frontend of frontends) {
        place(frontend);
        yield;
      }
      for (let start = 0; start < count; start += linesAtOnce) {
        const lines = Array.from({ length: Math.min(linesAtOnce, count - start) }, (_, i) => start + i);
        write(lines);
        yield;
      }
    },
    share: (other) => {
      ways = other.ways as (Way | undefined)[];
    },
    get ways() {
      return ways;
    },
    [Symbol.dispose]: () => map[Symbol.dispose](),
  };
}
