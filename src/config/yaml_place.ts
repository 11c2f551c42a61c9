/** From a path in a YAML tree back to the text: where something is, and what is written there. */

import { type Event, EVENT_ID, type ScalarEvent } from "js-yaml";
import { quote, shorten } from "./quote.ts";
import { offsetOf, scalarValue, type YamlTree } from "./yaml_tree.ts";

/**
 * A step into a sequence (index of the item) or into a mapping: its first entry with a key, the entry with an index,
 * or the last entry with a key.
 */
export type Step = string | number | { readonly last: string | number };

/** What a path leads to. */
export interface Spot {
  /** Offset in the text; of what contains it, where the path leads to nothing. */
  readonly offset: number;
  /** The path for people, such as `services[2].ports[80]`. */
  readonly path: string;
  /** What is written there, in words; `undefined` where the path leads to nothing. */
  readonly found?: string;
}

/**
 * Finds what a path leads to. It walks over the events, so it takes as long as a pass over the part of the document
 * before it: fine for the few places that an error names.
 */
export function locate(tree: YamlTree, steps: readonly Step[]): Spot {
  return walk(tree, steps).spot;
}

/** Finds the key of a mapping's entry. Its path is that of the entry. */
export function locateKey(tree: YamlTree, steps: readonly Step[], entry: number): Spot {
  const { spot, key } = walk(tree, [...steps, entry]);
  if (key === undefined) return spot;
  return { ...spot, offset: startOf(tree, key, key), found: describe(tree, key) };
}

/** Follows a path; `key` is the event of the last step's key. */
function walk(tree: YamlTree, steps: readonly Step[]): { spot: Spot; key?: number } {
  let at = 1; // 0 is the document
  let key: number | undefined;
  let path = "";
  let alias: number | undefined; // the first on the way: it is here that what it stands for is wrong
  for (const step of steps) {
    if (tree.aliases.has(at)) alias ??= at;
    const child = childAt(tree, resolve(tree, at), step);
    if (child === undefined) return { spot: { offset: startOf(tree, alias ?? at, key), path } };
    path += stepText(child.key === undefined ? step : keyOf(tree, child.key), path);
    ({ value: at, key } = child);
  }
  return { spot: { offset: startOf(tree, alias ?? at, key), path, found: describe(tree, at) }, key };
}

/** The event that an event stands for: an alias's target, else itself. */
function resolve(tree: YamlTree, index: number): number {
  return tree.aliases.get(index) ?? index;
}

/** Where an event's node begins; a value that is not written begins where its key does. */
function startOf(tree: YamlTree, index: number, key?: number): number {
  const offset = offsetOf(tree.events[index]);
  if (offset !== -1) return offset;
  return key === undefined ? 0 : Math.max(0, offsetOf(tree.events[key]));
}

/** The event of a container's child, and that of its key. */
function childAt(tree: YamlTree, container: number, step: Step): { key?: number; value: number } | undefined {
  const { events } = tree;
  const { type } = events[container];
  if (type === EVENT_ID.SEQUENCE) {
    let index = 0;
    for (let value = container + 1; events[value].type !== EVENT_ID.POP; value = after(events, value)) {
      if (index++ === step) return { value };
    }
  }
  if (type !== EVENT_ID.MAPPING) return undefined;
  let found: { key: number; value: number } | undefined;
  let entry = 0;
  for (let key = container + 1; events[key].type !== EVENT_ID.POP;) {
    const value = after(events, key);
    if (typeof step === "object") {
      if (keyOf(tree, key) === step.last) found = { key, value };
    } else if (typeof step === "number" ? entry === step : keyOf(tree, key) === step) {
      return { key, value };
    }
    entry++;
    key = after(events, value);
  }
  return found;
}

/** The event after a node and all that is in it. */
function after(events: readonly Event[], node: number): number {
  let depth = 0;
  let next = node;
  do {
    const { type } = events[next++];
    if (type === EVENT_ID.SEQUENCE || type === EVENT_ID.MAPPING) depth++;
    else if (type === EVENT_ID.POP) depth--;
  } while (depth > 0);
  return next;
}

/** The key that an event is; `undefined` for a list or a map. */
function keyOf(tree: YamlTree, index: number): unknown {
  const event = tree.events[resolve(tree, index)];
  return event.type === EVENT_ID.SCALAR ? scalarValue(tree.source.text, event) : undefined;
}

/** A step as people write it: `.name`, `[3]`, `["shop/web"]`; nothing for a key that is itself a list or a map. */
function stepText(step: unknown, path: string): string {
  if (step === undefined) return "";
  if (typeof step === "string" && /^[A-Za-z_]\w{0,59}$/.test(step)) return path === "" ? step : `.${step}`;
  return `[${typeof step === "string" ? quote(step) : String(step)}]`;
}

/** What is written at an event, short and on one line. */
function describe(tree: YamlTree, index: number): string {
  const event = tree.events[resolve(tree, index)];
  const { text } = tree.source;
  const tag = "tagStart" in event && event.tagStart !== -1
    ? `${text.slice(event.tagStart, event.tagEnd)} `
    : "";
  if (event.type === EVENT_ID.SEQUENCE) return `${tag}a list`;
  if (event.type === EVENT_ID.MAPPING) return `${tag}a map`;
  return event.type === EVENT_ID.SCALAR ? tag + describeScalar(text, event) : "nothing";
}

function describeScalar(text: string, event: ScalarEvent): string {
  if (event.valueStart === -1) return "nothing";
  const value = scalarValue(text, event);
  // Text needs quotes to be told from the words around it; 5, 80.0, true and null must not have them.
  return typeof value === "string" ? quote(value) : shorten(text.slice(event.valueStart, event.valueEnd));
}
