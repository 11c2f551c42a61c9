/** What `weft resources -o json` prints. */

import type { Protocol } from "./protocol.ts";

/** What is known of a protocol's resources. */
export type ResourcesOf = Pick<Protocol, "collections" | "extras" | "types" | "rejections">;

/**
 * Each collection under its name: an object by resource name, or a list; beside them the extras, and under keys of their own
 * `meta` (collection → resource → version and time received) and `rejected` (by type and name, with the reason).
 *
 * @param only the one collection that is wanted
 */
export function resourcesJson(of: ResourcesOf, only?: string): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const meta: Record<string, unknown> = {};
  for (const { name, shape, resources } of of.collections) {
    if (only !== undefined && only !== name) continue;
    const all = [...resources()].sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    values[name] = shape === "list"
      ? all.map((resource) => resource.json())
      : Object.fromEntries(all.map((resource) => [resource.name, resource.json()]));
    meta[name] = Object.fromEntries(
      all.map(({ name, version, receivedAt }) => [name, { version, receivedAt: receivedAt.toISOString() }]),
    );
  }
  return {
    ...values,
    ...only === undefined ? of.extras : {},
    meta,
    rejected: of.rejections.map(({ at, ...rejection }) => ({ ...rejection, at: at.toISOString() })),
  };
}
