/** What `weft resources -o json` shows, as text in pieces: a mesh may have a hundred thousand resources. */

import type { Protocol, StoredResource } from "./protocol.ts";
import { joined, type Slices, timedSlices } from "../host/mod.ts";

/** What is known of a protocol's resources. */
export type ResourcesOf = Pick<Protocol, "collections" | "extras" | "rejections">;

/**
 * Gives the text of one JSON object: each collection under its name (an object by resource name, or a list), the extras, and under
 * keys of their own `meta` (collection → resource → version and time received) and `rejected` (type, name, version, reason, time).
 * Resources stand in no order. Each is whole; one that comes or goes while the text is made may be in it or not.
 *
 * @param only the one collection that is wanted
 * @param slices how it is made
 */
export async function* resourcesText(
  of: ResourcesOf,
  only?: string,
  slices: Slices = timedSlices,
): AsyncGenerator<string> {
  const wanted = of.collections.filter(({ name }) => only === undefined || only === name);
  const extras = only === undefined ? Object.entries(of.extras) : [];
  const { rejections } = of;

  yield "{";
  for (const { name, shape, resources } of wanted) {
    const [open, close] = shape === "list" ? "[]" : "{}";
    yield `${JSON.stringify(name)}:${open}`;
    yield* joined(resources(), (resource) => {
      const value = JSON.stringify(jsonOf(resource));
      return shape === "list" ? value : `${JSON.stringify(resource.name)}:${value}`;
    }, slices);
    yield `${close},`;
  }
  for (const [name, value] of extras) yield `${JSON.stringify(name)}:${JSON.stringify(value)},`;
  yield `"meta":{`;
  for (const [i, { name, resources }] of wanted.entries()) {
    yield `${i > 0 ? "," : ""}${JSON.stringify(name)}:{`;
    yield* joined(resources(), ({ name, version, receivedAt }) => {
      const meta = { version, receivedAt: receivedAt.toISOString() };
      return `${JSON.stringify(name)}:${JSON.stringify(meta)}`;
    }, slices);
    yield "}";
  }
  yield "},";
  const rejected = rejections.map(({ at, ...rejection }) => ({ ...rejection, at: at.toISOString() }));
  yield `"rejected":${JSON.stringify(rejected)}}`;
}

/** Only what weft uses of it was read when it came; the rest may be broken. */
function jsonOf(resource: StoredResource): unknown {
  try {
    return resource.json();
  } catch (error) {
    return { unreadable: error instanceof Error ? error.message : String(error) };
  }
}
