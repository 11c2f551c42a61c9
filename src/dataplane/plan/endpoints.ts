/** Gives endpoints their indexes, and takes them away. */

import { workload } from "../../../ffi/mod.ts";
import { mapInSteps, type Steps, stepSize } from "../../host/mod.ts";
import { addressToBytes } from "../../mesh/mod.ts";
import type { Applied, AppliedEndpoint, AppliedServicePort, AppliedTier } from "../applied.ts";
import { type DesiredEndpoint, endpointKey } from "../desired.ts";
import { generationAfter } from "../generations.ts";
import type { FoundServicePort, FoundTier } from "../read_back.ts";
import { type Draft, take } from "./draft.ts";

/** A service port as it was before, known to the agent or found in the kernel. */
export type Previous = AppliedServicePort | FoundServicePort;
export type PreviousTier = AppliedTier | FoundTier;
export type PreviousRow = PreviousTier["rows"][number];

function placeText({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address}|${port}`;
}

/** One that was found in the kernel and that no record names, as those of farther tiers. */
function takeLoose(draft: Draft, endpoint: DesiredEndpoint): PreviousRow | undefined {
  if (!draft.found) return undefined;
  draft.loose ??= Map.groupBy(
    draft.found.endpoints.values().filter(({ index, usable }) => usable && !draft.found!.named.has(index)),
    placeText,
  );
  return draft.loose.get(placeText(endpoint))?.pop();
}

/** Gives each desired endpoint, by tier, its index: the one it has, or a new one. Those no longer desired are retired. */
export function* placeEndpoints(
  draft: Draft,
  previous: readonly PreviousTier[],
  desired: readonly (readonly DesiredEndpoint[])[],
): Steps<AppliedEndpoint[][]> {
  const byKey = new Map<string, PreviousRow[]>();
  const seen = new Set<number>();
  for (const { rows } of previous) {
    for (const row of rows) {
      if (seen.has(row.index) || draft.kept.has(row.index)) continue;
      seen.add(row.index);
      if (seen.size % stepSize === 0) yield;
      // What was found in the kernel has no uid: it is known by its address.
      const key = "uid" in row ? endpointKey(row) : placeText(row);
      const same = byKey.get(key);
      if (same) same.push(row);
      else byKey.set(key, [row]);
    }
  }
  const place = (endpoint: DesiredEndpoint): AppliedEndpoint => {
    const row = byKey.size === 0 && !draft.found
      ? undefined
      : byKey.get(endpointKey(endpoint))?.pop() ?? byKey.get(placeText(endpoint))?.pop() ??
        takeLoose(draft, endpoint);
    if (!row) return newEndpoint(draft, endpoint);
    if (draft.found) draft.kept.add(row.index);
    return placedAt(row, endpoint);
  };
  const placed: AppliedEndpoint[][] = [];
  for (const tier of desired) placed.push(yield* mapInSteps(tier, place));
  // Of those found in the kernel another port may still want some: `removeLeftovers` retires the rest.
  if (!draft.found) {
    for (const rows of byKey.values()) {
      for (const row of rows) retire(draft, row);
    }
  }
  return placed;
}

/** An endpoint in this place of map `endpoints`. */
export function placedAt(
  { index, generation }: Pick<AppliedEndpoint, "index" | "generation">,
  { uid, address, port, weight }: DesiredEndpoint,
): AppliedEndpoint {
  return { uid, address, port, weight, index, generation };
}

/** Takes an index for an endpoint that the kernel does not hold. */
export function newEndpoint(draft: Draft, desired: DesiredEndpoint): AppliedEndpoint {
  const index = take(draft.applied.endpointIndexes, draft.taken.indexes);
  const placed = placedAt({ index, generation: nextGeneration(draft.applied, index) }, desired);
  draft.endpoints.push(placed);
  return placed;
}

function nextGeneration({ generations }: Applied, index: number): number {
  const generation = generationAfter(generations.of(index));
  generations.set(index, generation);
  return generation;
}

/** Whether an endpoint that is to be written is the first of its index: no socket remembers another one there. */
export function isFirstUse({ generations }: Applied): (endpoint: AppliedEndpoint) => boolean {
  const first = generationAfter(generations.first);
  return ({ generation }) => generation === first;
}

/** What map `endpoints` holds at a row's index. @param usable whether sockets may keep it */
export function kernelEndpoint(
  row: PreviousRow,
  usable: boolean,
): readonly [index: number, endpoint: workload.Endpoint] {
  const flags = usable ? workload.endpointFlag.ENDPOINT_USABLE : 0;
  const { index, generation, address, port } = row;
  return [index, { address: addressToBytes(address), port, flags, generation }];
}

export function retire(draft: Draft, row: PreviousRow): void {
  draft.retired.push(row);
  draft.released.indexes.push(row.index);
}
