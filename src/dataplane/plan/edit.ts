/** Plans what some members of a service change, at a cost of what changes, however large the service is. */

import {
  type AppliedEndpoint,
  type AppliedService,
  type AppliedServicePort,
  type AppliedTier,
  nearestRank,
  nearestTier,
} from "../applied.ts";
import {
  type DesiredEndpoint,
  endpointKey,
  type RankedEndpoint,
  type ServiceEdit,
  type ServicePortEdit,
} from "../desired.ts";
import type { PortCommit, TierCommit } from "./commit.ts";
import type { Draft } from "./draft.ts";
import { newEndpoint, placedAt, retire } from "./endpoints.ts";
import { editRows, withRows } from "./rows.ts";
import { headOf } from "./layout.ts";
import { limitIdOf } from "./limits.ts";
import { editInPlace, planTier, tierWord, writeServicePort } from "./tier.ts";

/** Rows that are looked through as fast as their positions are looked up; a table of them would take 100 bytes a row. */
const mostSearched = 64;

/**
 * Plans an edit of a service that is applied.
 *
 * @returns false, and nothing is planned, where a tier that changes is no list or becomes none, for what else there is is made of all
 * endpoints. Then the whole service must be planned
 */
export function planEdit(draft: Draft, service: AppliedService, { edits }: ServiceEdit): boolean {
  // The kernel holds nothing of the other ports: they are of a family of which the service owns no VIP.
  const ports = edits.flatMap((edit) => {
    const port = service.servicePorts.get(edit.key);
    return port ? [portEdit(port, edit)] : [];
  });
  if (ports.some((edit) => edit === undefined)) return false;
  for (const edit of ports) draft.ports.push(planPort(draft, edit!));
  return true;
}

/** What changes at one applied service port. */
interface PortEdit {
  readonly port: AppliedServicePort;
  readonly mapped: number;
  readonly ranks: ReadonlyMap<number, number>;
  readonly tiers: readonly TierEdit[];
}

/** Who can be chosen in one tier and goes, and who comes, by key. */
interface TierEdit {
  readonly rank: number;
  readonly gone: ReadonlyMap<string, DesiredEndpoint>;
  readonly come: ReadonlyMap<string, DesiredEndpoint>;
}

function portEdit(port: AppliedServicePort, edit: ServicePortEdit): PortEdit | undefined {
  const touched = new Set([...edit.removed, ...edit.added].map(({ rank }) => rank));
  const tiers = [...touched].map((rank) => ({
    rank,
    gone: endpointsOf(edit.removed, rank),
    come: endpointsOf(edit.added, rank),
  })).filter(({ gone, come }) => gone.size + come.size > 0);
  if (!tiers.every((tier) => staysList(port, tier))) return undefined;
  return { port, mapped: port.mapped + edit.mapped, ranks: ranksAfter(port, edit), tiers };
}

/** Whether the tier is a list, if it is there, and will be one. */
function staysList({ tiers, choice }: AppliedServicePort, { rank, come }: TierEdit): boolean {
  if (choice.kind === "ringHash" || choice.kind === "maglev") return false;
  const tier = tiers.get(rank);
  const weights = new Set([...come.values()].map(({ weight }) => weight));
  if (tier && come.size > 0) weights.add(tier.rows[0].weight);
  return (tier?.layout ?? "list") === "list" && weights.size <= 1;
}

function ranksAfter(port: AppliedServicePort, { removed, added }: ServicePortEdit): Map<number, number> {
  const ranks = new Map(port.ranks);
  const count = (rank: number, difference: number) => {
    const after = (ranks.get(rank) ?? 0) + difference;
    if (after === 0) ranks.delete(rank);
    else ranks.set(rank, after);
  };
  for (const { rank } of removed) count(rank, -1);
  for (const { rank } of added) count(rank, 1);
  return ranks;
}

function planPort(draft: Draft, { port, mapped, ranks, tiers: edits }: PortEdit): PortCommit {
  const before = nearestRank(port.ranks);
  const after = nearestRank(ranks);
  const rows = takeRows(port, edits);
  const come = new Set(edits.flatMap(({ come }) => [...come.keys()]));
  for (const [key, row] of rows) if (!come.has(key)) retire(draft, row);
  const tiers = edits.map((edit) =>
    planTierEdit(draft, port, edit, rows, edit.rank === before && before !== after)
  );
  const head = { ...headOf(port.choice), limit: limitIdOf(draft.applied, port.connectionLimit) };
  writeServicePort(
    draft,
    port.id,
    { ...head, tier: tierWord(nearestTier(port), port.mapped > 0) },
    { ...head, tier: tierWord(tierAfter(port, tiers, after), mapped > 0) },
  );
  return { port, mapped, ranks, tiers };
}

/** The tier of a rank, once what is planned is done. */
function tierAfter(port: AppliedServicePort, tiers: readonly TierCommit[], rank: number | undefined) {
  if (rank === undefined) return null;
  const changed = tiers.find((one) => one.rank === rank);
  if (!changed) return port.tiers.get(rank);
  return changed.tier && { ...changed.tier, rows: changed.rows ?? changed.tier.rows };
}

/** The rows of those that go, from whichever tier: who comes to another one keeps its index. */
function takeRows(port: AppliedServicePort, edits: readonly TierEdit[]): Map<string, AppliedEndpoint> {
  const rows = new Map<string, AppliedEndpoint>();
  for (const { rank, gone } of edits) {
    const tier = port.tiers.get(rank);
    for (const [key, endpoint] of gone) {
      const position = tier && positionOf(tier, key, endpoint);
      if (position === undefined) {
        throw new Error(`endpoint ${key} is not in the tier that it is removed from`);
      }
      rows.set(key, tier!.rows[position]);
    }
  }
  return rows;
}

/** @param isLeft as planTier() */
function planTierEdit(
  draft: Draft,
  port: AppliedServicePort,
  { rank, gone, come }: TierEdit,
  moved: ReadonlyMap<string, AppliedEndpoint>,
  isLeft: boolean,
): TierCommit {
  const tier = port.tiers.get(rank);
  const added = [...come.values()].map((desired) => {
    const row = moved.get(endpointKey(desired));
    return row ? placedAt(row, desired) : newEndpoint(draft, desired);
  });
  if (!tier) return { rank, tier: planTier(draft, null, added, port.choice, isLeft), rows: undefined };
  const removed = [...gone].map(([key, endpoint]) => positionOf(tier, key, endpoint)!);
  const edit = editRows(tier.rows, removed, added);
  if (editInPlace(draft, tier, edit, isLeft)) return { rank, tier, rows: edit };
  const rows = withRows(tier.rows, edit);
  return { rank, tier: planTier(draft, tier, rows, port.choice, isLeft), rows: undefined };
}

/** By key, those of one rank that can be chosen. */
function endpointsOf(ranked: readonly RankedEndpoint[], rank: number): Map<string, DesiredEndpoint> {
  const endpoints = new Map<string, DesiredEndpoint>();
  for (const one of ranked) {
    if (one.rank === rank && one.endpoint && one.endpoint.weight > 0) {
      endpoints.set(endpointKey(one.endpoint), one.endpoint);
    }
  }
  return endpoints;
}

/** @param key the endpoint's */
function positionOf(tier: AppliedTier, key: string, endpoint: DesiredEndpoint): number | undefined {
  if (tier.positions === undefined && tier.rows.length <= mostSearched) {
    const position = tier.rows.findIndex(({ uid, address, port }) =>
      uid === endpoint.uid && address === endpoint.address && port === endpoint.port
    );
    return position === -1 ? undefined : position;
  }
  tier.positions ??= new Map(tier.rows.map((row, position) => [endpointKey(row), position]));
  return tier.positions.get(key);
}
