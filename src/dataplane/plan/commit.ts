/** What is applied once a plan has been carried out. */

import type { Applied, AppliedEndpoint, AppliedServicePort, AppliedTier } from "../applied.ts";
import { endpointKey } from "../desired.ts";
import type { Plan } from "./draft.ts";
import type { RowsEdit } from "./rows.ts";

/** What becomes of one tier of an applied service port. */
export interface TierCommit {
  readonly rank: number;
  /** `null`: there is nobody left in it. */
  readonly tier: AppliedTier | null;
  /** What changes of the tier's rows, where the tier stays the same one. */
  readonly rows: RowsEdit<AppliedEndpoint> | undefined;
}

/** What becomes of an applied service port. */
export interface PortCommit {
  readonly port: AppliedServicePort;
  readonly mapped: number;
  readonly ranks: ReadonlyMap<number, number>;
  /** Those that change. */
  readonly tiers: readonly TierCommit[];
}

/** Makes a plan that is in the kernel the applied state. */
export function commitPlan(
  plan: Pick<Plan, "next" | "ports" | "limits">,
  { services, frontendCount }: Applied,
): void {
  for (const [key, service] of plan.next) {
    frontendCount.value += (service?.frontends.size ?? 0) - (services.get(key)?.frontends.size ?? 0);
    if (service) services.set(key, service);
    else services.delete(key);
  }
  for (const commit of plan.ports) commitPort(commit);
  for (const { limit, after } of plan.limits.values()) limit.most = after;
}

function commitPort({ port, mapped, ranks, tiers }: PortCommit): void {
  port.mapped = mapped;
  port.ranks.clear();
  for (const [rank, count] of ranks) port.ranks.set(rank, count);
  for (const { rank, tier, rows } of tiers) {
    if (tier) port.tiers.set(rank, tier);
    else port.tiers.delete(rank);
    if (tier && rows) commitRows(tier, rows);
  }
}

function commitRows({ rows, positions }: AppliedTier, edit: RowsEdit<AppliedEndpoint>): void {
  // What moves is written to its new place after it has been taken out of the old one.
  for (let position = edit.length; position < rows.length; position++) {
    positions?.delete(endpointKey(rows[position]));
  }
  for (const position of edit.rows.keys()) {
    if (position < rows.length) positions?.delete(endpointKey(rows[position]));
  }
  rows.length = Math.min(rows.length, edit.length);
  for (const [position, row] of edit.rows) {
    rows[position] = row;
    positions?.set(endpointKey(row), position);
  }
}
