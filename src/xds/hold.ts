/** What one response changes of what is held of its type. */

import { stepSize } from "../host/steps.ts";
import type { Pause } from "../host/slices.ts";
import type { HeldResource, SharedResponse } from "./held_resource.ts";

type Held = Map<string, HeldResource>;

/** While so large a part of a response's bytes is held, what is held stays in it. */
const leastShare = 1 / 4;

/** A response that changes more than this part of what is held is not put into that, but what stays is put beside it. */
const largeShare = 1 / 4;

/**
 * Prepares that what was accepted is held instead of what had its names, and what was removed no longer; bit by bit where that is much.
 *
 * @param accepted is held itself, or a part of it; nobody else may use it any more
 * @param pause called between small steps, and awaited
 * @returns makes it so, at once, and gives what is held then
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
  let looked = 0;
  for (const [name, resource] of held) {
    if (accepted.has(name) || removed.has(name)) leave(resource);
    else accepted.set(name, resource);
    const turn = ++looked % stepSize === 0 ? pause() : undefined;
    if (turn !== undefined) await turn;
  }
  return () => accepted;
}

function put(held: Held, accepted: Held, removals: readonly string[]): Held {
  for (const name of removals) {
    leave(held.get(name));
    held.delete(name);
  }
  for (const [name, resource] of accepted) {
    leave(held.get(name));
    held.set(name, resource);
  }
  return held;
}

function leave(resource: HeldResource | undefined): void {
  if (resource?.shares !== undefined) resource.shares.held -= resource.sharedBytes;
}

/**
 * Copies what is held of responses of which little is held out of them, bit by bit, so that the rest goes.
 *
 * @param responses those that are kept; such a one is taken out, and so is one of which nothing is held
 */
export async function packHollow(held: Held, responses: Set<SharedResponse>, pause: Pause): Promise<void> {
  const hollow = new Set<SharedResponse>();
  for (const response of responses) {
    if (response.held === 0) responses.delete(response);
    else if (response.held < response.bytes.length * leastShare) hollow.add(response);
  }
  if (hollow.size === 0) return;
  let looked = 0;
  for (const [name, resource] of held) {
    if (resource.shares !== undefined && hollow.has(resource.shares)) held.set(name, resource.packed());
    const turn = ++looked % stepSize === 0 ? pause() : undefined;
    if (turn !== undefined) await turn;
  }
  for (const response of hollow) responses.delete(response);
}
