/** What one response changes of what is held of its type. */

import { stepSize } from "../host/steps.ts";
import type { Pause } from "../host/slices.ts";
import type { HeldResource, SharedResponse } from "./held_resource.ts";

type Held = Map<string, HeldResource>;

/** While so large a part of a response is held, what is held stays in it. */
const leastShare = 1 / 16;

/** A response that changes more than this part of what is held is not put into that, but what stays is put beside it. */
const largeShare = 1 / 4;

/**
 * Prepares, in slices, that what was accepted is held instead of what had its names, and what was removed no longer. Where little is
 * left of what a large response brought, that is copied out of it, so that the rest goes.
 *
 * @param accepted is held itself, or a part of it; nobody else may use it any more
 * @param pause called between small steps, and awaited
 * @returns makes it so, at once. @returns what is held then
 */
export async function prepareHold(
  held: Held,
  accepted: Held,
  removals: readonly string[],
  pause: Pause,
): Promise<() => Held> {
  if (held.size === 0) return () => accepted;
  if (accepted.size + removals.length <= held.size * largeShare) return () => put(held, accepted, removals);
  const removed = new Set(removals);
  const left = new Map<SharedResponse, number>();
  let looked = 0;
  for (const [name, resource] of held) {
    if (accepted.has(name) || removed.has(name)) countLeft(left, resource);
    else accepted.set(name, resource);
    const turn = ++looked % stepSize === 0 ? pause() : undefined;
    if (turn !== undefined) await turn;
  }
  return () => {
    leave(accepted, left);
    return accepted;
  };
}

function put(held: Held, accepted: Held, removals: readonly string[]): Held {
  const left = new Map<SharedResponse, number>();
  for (const name of removals) {
    countLeft(left, held.get(name));
    held.delete(name);
  }
  for (const [name, resource] of accepted) {
    countLeft(left, held.get(name));
    held.set(name, resource);
  }
  leave(held, left);
  return held;
}

function countLeft(left: Map<SharedResponse, number>, resource: HeldResource | undefined): void {
  const response = resource?.shares;
  if (response !== undefined) left.set(response, (left.get(response) ?? 0) + 1);
}

/** Takes note of resources that are no longer held where they stood. */
function leave(held: Held, left: ReadonlyMap<SharedResponse, number>): void {
  for (const [response, count] of left) {
    response.held -= count;
    if (response.held > 0 && response.held < response.most * leastShare) pack(held, response);
  }
}

/** Copies what is held of a response out of it. */
function pack(held: Held, response: SharedResponse): void {
  for (const [name, resource] of held) {
    if (resource.shares === response) held.set(name, resource.packed());
  }
  response.held = 0;
}
