/** Connecting again and again, and counting who answered. */

import assert from "node:assert/strict";
import { z } from "zod";
import { type Child, type Place, spawn } from "../../src/host/mod.ts";
import { type AddressPort, slashed } from "./address.ts";
import { patience } from "./slow.ts";

/** Of a socket, and how it is used: connected, or (`send4`, `send6`) UDP without connecting. */
export type HammerKind = "tcp4" | "tcp6" | "udp4" | "udp6" | "send4" | "send6" | "mptcp4" | "mptcp6";

export interface HammerOptions {
  readonly kind: HammerKind;
  /** One after the other. */
  readonly targets: readonly AddressPort[];
  /** @default as many as come until it is stopped */
  readonly count?: number;
  /** @default as fast as it goes */
  readonly perSecond?: number;
  /** For connecting and for the answer, in milliseconds. @default 2000, patiently */
  readonly timeoutMs?: number;
  /** One UDP socket for all. @default false */
  readonly reuse?: boolean;
}

const count = z.number().int().nonnegative();
const resultSchema = z.object({
  attempts: count,
  elapsedMs: z.number(),
  longestGapMs: z.number(),
  answers: z.array(z.object({ target: z.string(), peer: z.string(), server: z.string(), count })),
  errors: z.array(z.object({ target: z.string(), operation: z.string(), error: z.string(), count })),
});

export interface HammerResult {
  readonly attempts: number;
  readonly elapsedMs: number;
  /** The longest time between two answers. */
  readonly longestGapMs: number;
  /** How often each server answered. */
  readonly servers: Readonly<Record<string, number>>;
  /** How often the peer (getpeername, or the sender of an unconnected socket's answer) had which address. */
  readonly peers: Readonly<Record<string, number>>;
  /** `operation ERROR` → how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** All that was counted. */
  readonly answers: readonly {
    readonly target: AddressPort;
    readonly peer: AddressPort;
    readonly server: string;
    readonly count: number;
  }[];
}

function sumBy<T extends { readonly count: number }>(items: readonly T[], key: (item: T) => string) {
  const sums: Record<string, number> = {};
  for (const item of items) sums[key(item)] = (sums[key(item)] ?? 0) + item.count;
  return sums;
}

/** A hammer at work. */
export interface Hammer extends AsyncDisposable {
  /** Ends it, and tells what it counted. */
  readonly stop: () => Promise<HammerResult>;
  /** Waits until it has done its count. */
  readonly done: () => Promise<HammerResult>;
}

/** Starts a hammer; returns when it works. */
export async function startHammer(peer: string, options: HammerOptions, place: Place): Promise<Hammer> {
  const { kind, targets, count = 0, perSecond = 0, timeoutMs = patience(2000), reuse = false } = options;
  const child = spawn([
    ...[peer, "hammer", "--count", `${count}`, "--rate", `${perSecond}`, "--timeout", `${timeoutMs}`],
    ...reuse ? ["--reuse"] : [],
    ...[kind, ...targets.map(slashed)],
  ], place);
  await expectReady(child);
  const done = async () => {
    const { value } = await child.lines.next();
    if (value === undefined) throw new Error(`the hammer ended without a result: ${child.said()}`);
    const { answers, errors, ...rest } = resultSchema.parse(JSON.parse(value));
    return {
      ...rest,
      answers,
      servers: sumBy(answers, (answer) => answer.server),
      peers: sumBy(answers, (answer) => answer.peer),
      errors: sumBy(errors, (error) => `${error.operation} ${error.error}`),
    };
  };
  const stop = async () => {
    child.kill("SIGTERM");
    return await done();
  };
  return { stop, done, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/** Waits for a peer program's `ready`. */
export async function expectReady(child: Child): Promise<void> {
  const { value } = await child.lines.next();
  if (value === "ready") return;
  const status = await child.exited;
  throw new Error(`not ready: exit code ${status.code}: ${child.said()}`);
}

/** Asserts that all went well, and gives the result back. */
export function flawless(result: HammerResult): HammerResult {
  assert.deepEqual(result.errors, {});
  assert.ok(result.attempts > 0, "nothing was tried");
  return result;
}
