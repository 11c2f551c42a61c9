/** Plans what some members of a service change, at a cost of what changes, however large the service is. */

import type { AppliedEndpoint, AppliedService, AppliedServicePort, AppliedTier } from "../applied.ts";
import type { DesiredEndpoint, RankedEndpoint, ServiceEdit, ServicePortEdit } from "../desired.ts";
import type { PortCommit } from "./commit.ts";
import type { Draft } from "./draft.ts";
import { newEndpoint, retire } from "./endpoints.ts";
import { editRows, type RowsEdit, withRows } from "./rows.ts";
import { editInPlace, planTier, tierWord, writeServicePort } from "./tier.ts";

/**
 * Plans an edit of a service that is applied.
 *
 * @returns false, and nothing is planned, where all endpoints matter: another tier becomes the nearest, or the tier is weighted or
 * becomes so, and its alias table is made of all of them. Then the whole service must be planned
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
  /** Of the nearest tier, by key. */
  readonly gone: ReadonlyMap<string, DesiredEndpoint>;
  readonly come: ReadonlyMap<string, DesiredEndpoint>;
}

function portEdit(port: AppliedServicePort, edit: ServicePortEdit): PortEdit | undefined {
  const ranks = ranksAfter(port, edit);
  const rank = nearest(ranks);
  if (rank !== nearest(port.ranks)) return undefined;
  const gone = endpointsOf(edit.removed, rank);
  const come = endpointsOf(edit.added, rank);
  const isWeighted = gone.size + come.size > 0 && port.tier?.weighted;
  const weights = new Set([...come.values()].map(({ weight }) => weight));
  if (port.tier && come.size > 0) weights.add(port.tier.rows[0].desired.weight);
  if (isWeighted || weights.size > 1) return undefined;
  return { port, mapped: port.mapped + edit.mapped, ranks, gone, come };
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

/** The nearest rank of which there is anybody. */
function nearest(ranks: ReadonlyMap<number, number>): number | undefined {
  let highest: number | undefined;
  for (const rank of ranks.keys()) if (highest === undefined || rank > highest) highest = rank;
  return highest;
}

function planPort(draft: Draft, { port, mapped, ranks, gone, come }: PortEdit): PortCommit {
  const { tier, rows } = planRows(draft, port.tier, gone, come);
  const length = rows?.length ?? tier?.rows.length ?? 0;
  const word = tierWord(tier && { ...tier, rows: { length } }, mapped > 0);
  writeServicePort(draft, port.id, tierWord(port.tier, port.mapped > 0), word);
  return { port, mapped, ranks, tier, rows };
}

function planRows(
  draft: Draft,
  tier: AppliedTier | null,
  gone: PortEdit["gone"],
  come: PortEdit["come"],
): Pick<PortCommit, "tier" | "rows"> {
  if (gone.size + come.size === 0) return { tier, rows: undefined };
  if (tier === null) {
    const rows = [...come.values()].map((one) => newEndpoint(draft, one));
    return { tier: planTier(draft, null, rows), rows: undefined };
  }
  const edit = editTierRows(draft, tier, gone, come);
  if (editInPlace(draft, tier, edit)) return { tier, rows: edit };
  return { tier: planTier(draft, tier, withRows(tier.rows, edit)), rows: undefined };
}

/** By key, those of one rank that can be chosen. */
function endpointsOf(
  ranked: readonly RankedEndpoint[],
  rank: number | undefined,
): Map<string, DesiredEndpoint> {
  const endpoints = new Map<string, DesiredEndpoint>();
  for (const one of ranked) {
    if (one.rank === rank && one.endpoint && one.endpoint.weight > 0) {
      endpoints.set(one.endpoint.key, one.endpoint);
    }
  }
  return endpoints;
}

/** Nobody both goes and comes: what is the same in rank and weight is no change, and other weights are not edited here. */
function editTierRows(
  draft: Draft,
  tier: AppliedTier,
  gone: PortEdit["gone"],
  come: PortEdit["come"],
): RowsEdit<AppliedEndpoint> {
  const positions = positionsOf(tier);
  const removed = [...gone.keys()].map((key) => {
    const position = positions.get(key);
    if (position === undefined) throw new Error(`endpoint ${key} is not in the tier that it is removed from`);
    retire(draft, tier.rows[position]);
    return position;
  });
  return editRows(tier.rows, removed, [...come.values()].map((one) => newEndpoint(draft, one)));
}

function positionsOf(tier: AppliedTier): ReadonlyMap<string, number> {
  tier.positions ??= new Map(tier.rows.map((row, position) => [row.desired.key, position]));
  return tier.positions;
}
