/** Whether real traffic is what the mesh file says it must be. */

import { expectedShares, type MeshState } from "./mesh.ts";
import { families, protocols } from "./call.ts";
import { addUp, type Counts, type KindCounts, sum } from "./tally.ts";

/** How a refused call ends; EPERM on kernels without bpf_set_retval (before 5.18). */
const refusals: readonly string[] = ["EHOSTUNREACH", "EPERM"];

/** Fewer calls of a kind say nothing. */
const leastCalls = 20;

/** By chance a share is further off once in a million times. */
const standardDeviations = 5;

/**
 * Compares calls of some time with the mesh, each protocol and family for itself.
 *
 * @returns what is not as the mesh file says; `undefined` where all is
 */
export function judge(counts: Counts, mesh: MeshState): string | undefined {
  const kinds = protocols.flatMap((protocol) => families.map((family) => `${protocol} over IPv${family}`));
  const problems = kinds.map((kind) => {
    const of = counts.find((one) => one.kind === kind);
    const calls = of === undefined ? 0 : sum(of.answered) + sum(of.unanswered);
    if (of === undefined || calls < leastCalls) return `only ${calls} calls by ${kind}`;
    return judgeKind(of, expectedShares(mesh));
  });
  return problems.find((problem) => problem !== undefined);
}

function judgeKind(
  { kind, answered, unanswered }: KindCounts,
  shares: ReadonlyMap<string, number>,
): string | undefined {
  const calls = sum(answered);
  if (shares.size === 0 && calls > 0) return `${calls} calls by ${kind} were answered, none may be`;
  const [failed] = [...unanswered].filter(([reason]) => shares.size > 0 || !refusals.includes(reason));
  if (failed) return `${failed[1]} calls by ${kind} failed: ${failed[0]}`;
  for (const name of new Set([...answered.keys(), ...shares.keys()])) {
    const expected = shares.get(name) ?? 0;
    const seen = (answered.get(name) ?? 0) / calls;
    const tolerance = standardDeviations * Math.sqrt(expected * (1 - expected) / calls);
    if (Math.abs(seen - expected) > tolerance) {
      return `${name} got ${percent(seen)} of ${kind}, the mesh file says ${percent(expected)}`;
    }
  }
  return undefined;
}

/** A share, 0..1, as people read it. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

/** Unanswered calls by reason, apart by whether they were refused or failed. */
export interface Unanswered {
  readonly refused: ReadonlyMap<string, number>;
  readonly failed: ReadonlyMap<string, number>;
}

/** @param mayRefuse whether a refusal is what the mesh asks for, and so no failure */
export function unanswered(counts: Counts, mayRefuse: boolean): Unanswered {
  const all = [...addUp(counts.map((kind) => kind.unanswered))];
  const isRefusal = ([reason]: [string, number]) => mayRefuse && refusals.includes(reason);
  return {
    refused: new Map(all.filter(isRefusal)),
    failed: new Map(all.filter((one) => !isRefusal(one))),
  };
}
