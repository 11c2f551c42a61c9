/** What one response changes of what is held of its type. */

import type { HeldResource, SharedResponse } from "./held_resource.ts";

/** While so large a part of a response is held, what is held stays in it. */
const leastShare = 1 / 4;

/**
 * Holds what was accepted instead of what had its names, and lets go of what was removed. Where little is left of what a large response
 * brought, that is copied out of it, so that the rest goes.
 *
 * @returns what is held then: one of the two maps, which has been changed
 */
export function hold(
  held: Map<string, HeldResource>,
  accepted: Map<string, HeldResource>,
  removals: readonly string[],
): Map<string, HeldResource> {
  if (held.size === 0) return accepted;
  const left = new Set<SharedResponse>();
  const leave = (name: string) => {
    const response = held.get(name)?.shares;
    if (response === undefined) return;
    response.held--;
    left.add(response);
  };
  for (const name of removals) {
    leave(name);
    held.delete(name);
  }
  for (const [name, resource] of accepted) {
    leave(name);
    held.set(name, resource);
  }
  for (const response of left) {
    if (response.held > 0 && response.held < response.most * leastShare) pack(held, response);
  }
  return held;
}

/** Copies what is held of a response out of it. */
function pack(held: Map<string, HeldResource>, response: SharedResponse): void {
  for (const [name, resource] of held) {
    if (resource.shares === response) held.set(name, resource.packed());
  }
  response.held = 0;
}
