/**
 * YAML text as a tree of values that keeps what the mesh file's rules ask about: which kind of scalar was written,
 * keys that occur twice, tags, and the way back to the text.
 *
 * Scalars follow the core schema of YAML 1.2: `on` and `yes` are strings, `0x1f` is an integer.
 */

import { getHeapStatistics } from "node:v8";
// Its flat events are 10 times faster than a tree of nodes, take a quarter of the memory, and know their offsets.
import {
  type AliasEvent,
  boolCoreTag,
  type Event,
  EVENT_ID,
  floatCoreTag,
  getScalarValue,
  intCoreTag,
  type MappingEvent,
  NOT_RESOLVED,
  nullCoreTag,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  type SequenceEvent,
  YAMLException,
} from "js-yaml";
import { MeshFileError, problemAt, type Source } from "./mesh_file_error.ts";
import { oneLine, shorten } from "./quote.ts";

/** A number that is written with a fraction, an exponent, or as infinity or NaN. */
export class YamlFloat {
  constructor(readonly text: string) {}
}

/** A value with a tag of the mesh file's own, such as `!Prefix /shop`. */
export class YamlTagged {
  constructor(readonly tag: string, readonly value: YamlValue) {}
}

/** A mapping as it is written: keys of any kind, some perhaps twice. */
export class YamlMap {
  readonly keys: YamlValue[] = [];
  /** One for each of `keys`. */
  readonly values: YamlValue[] = [];
}

/** What can be written. A `number` is an integer; one past 2^53 is rounded. */
export type YamlValue =
  | null
  | boolean
  | number
  | string
  | YamlFloat
  | YamlTagged
  | YamlMap
  | readonly YamlValue[];

/** A document and the way back to its text. */
export interface YamlTree {
  readonly source: Source;
  /** `undefined` where the text has no content at all. */
  readonly root: YamlValue | undefined;
  readonly events: readonly Event[];
  /** Index of an alias's event → index of the event that it stands for. */
  readonly aliases: ReadonlyMap<number, number>;
}

export interface YamlOptions {
  /** Tags that are kept as `YamlTagged`. Others than these and YAML's own are refused. */
  readonly tags?: ReadonlySet<string>;
  /**
   * How many values the text may have, about.
   *
   * @default what fits into the memory that this process may use
   */
  readonly maxValues?: number;
}

/** Levels of nesting; the mesh file's format needs ten. */
const maxDepth = 64;

/** Values that aliases may repeat: 100,000 workloads with their locality and services by alias are 1.4 million. */
const maxRepeatedValues = 4_000_000;

/** Heap that a value costs from its event to the model, at most (measured: 220 to 300). */
const bytesPerValue = 400;

/** What to do about the parser's reasons that do not say it, by how they begin. */
const hints: readonly (readonly [reason: string, hint: string])[] = [
  [
    "deficient indentation",
    "; lines within brackets or quotes must be indented more than the key they belong to",
  ],
  ["nesting exceeded", "; a mesh file is ten levels deep"],
];

/** How each of YAML's own tags reads a scalar's text. */
const scalarTags = new Map<string, (text: string) => YamlValue | typeof NOT_RESOLVED>([
  ["!", (text) => text],
  ["!!str", (text) => text],
  ["!!null", (text) => nullCoreTag.resolve(text, true, "")],
  ["!!bool", (text) => boolCoreTag.resolve(text, true, "")],
  ["!!int", (text) => intCoreTag.resolve(text, true, "")],
  [
    "!!float",
    (text) => floatCoreTag.resolve(text, true, "") === NOT_RESOLVED ? NOT_RESOLVED : new YamlFloat(text),
  ],
]);

/** YAML's own tags for collections. */
const collectionTags = {
  [EVENT_ID.SEQUENCE]: new Set(["!", "!!seq"]),
  [EVENT_ID.MAPPING]: new Set(["!", "!!map"]),
} as const;

/**
 * Reads one YAML document.
 *
 * @throws {MeshFileError} with its place, where the text is not one YAML document, is nested or aliased out of
 * proportion, or has a tag that nobody knows.
 */
export function parseYaml(source: Source, options: YamlOptions = {}): YamlTree {
  const maxValues = options.maxValues ?? Math.floor(getHeapStatistics().heap_size_limit / bytesPerValue);
  if (separatorsIn(source.text) > maxValues) {
    const problem = `more than ${maxValues} values, which this process has no memory for; write fewer`;
    throw problemAt(source, 0, problem);
  }
  const events = eventsOf(source);
  const aliases = new Map<number, number>();
  const root = events.length === 0
    ? undefined
    : buildTree(source, events, aliases, options.tags ?? new Set());
  return { source, root, events, aliases };
}

/** The value of a scalar without a tag. */
export function scalarValue(text: string, event: ScalarEvent): string | number | boolean | null | YamlFloat {
  if (event.valueStart === -1) return null;
  const value = getScalarValue(text, event);
  return event.style === SCALAR_STYLE.PLAIN ? plainValue(value) : value;
}

/** What an untagged plain scalar means in the core schema. */
function plainValue(text: string): string | number | boolean | null | YamlFloat {
  // Other first characters begin nothing but a string; most scalars of a mesh file are done here.
  if (!/^[-+.~0-9nNtTfF]/.test(text)) return text;
  const integer = intCoreTag.resolve(text, false, "");
  if (integer !== NOT_RESOLVED) return integer;
  if (floatCoreTag.resolve(text, false, "") !== NOT_RESOLVED) return new YamlFloat(text);
  const boolean = boolCoreTag.resolve(text, false, "");
  if (boolean !== NOT_RESOLVED) return boolean;
  return nullCoreTag.resolve(text, false, "") === NOT_RESOLVED ? text : null;
}

/** The offset at which an event's node begins, its tag or anchor included; -1 where nothing is written. */
export function offsetOf(event: Event): number {
  switch (event.type) {
    case EVENT_ID.ALIAS:
      return event.anchorStart - 1;
    case EVENT_ID.SCALAR:
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.MAPPING: {
      const quoted = event.type === EVENT_ID.SCALAR &&
        (event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED);
      const start = event.type === EVENT_ID.SCALAR ? event.valueStart - (quoted ? 1 : 0) : event.start;
      const starts = [start, event.tagStart, event.anchorStart - 1].filter((at) => at >= 0);
      return starts.length === 0 ? -1 : Math.min(...starts);
    }
    default:
      return -1;
  }
}

/** At least half as many as the text has values: before each scalar and collection but the first stands one. */
function separatorsIn(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x0a: // a new line
      case 0x2c: // ,
      case 0x3a: // :
      case 0x5b: // [
      case 0x7b: // {
        count++;
        break;
      case 0x2d: // -, if a space follows
        if (text.charCodeAt(at + 1) === 0x20) count++;
    }
  }
  return count;
}

/** The parser's events of the text's one document; none where the text has no content. */
function eventsOf(source: Source): Event[] {
  let events: Event[];
  try {
    events = parseEvents(source.text, { maxDepth });
  } catch (error) {
    if (error instanceof RangeError) {
      // Its regular expressions use the stack: a tag of a million characters is too much for them.
      throw new MeshFileError(source.file, "not valid YAML: some part of it is too long", { cause: error });
    }
    if (!(error instanceof YAMLException)) throw error;
    const hint = hints.find(([reason]) => error.reason.startsWith(reason))?.[1] ?? "";
    throw problemAt(
      source,
      error.mark?.position ?? 0,
      `not valid YAML: ${oneLine(error.reason.slice(0, 200))}${hint}`,
    );
  }
  const second = events.findIndex((event, index) => index > 0 && event.type === EVENT_ID.DOCUMENT);
  if (second !== -1) {
    const content = offsetOf(events[second + 1]);
    const offset = content === -1 ? source.text.length : content;
    throw problemAt(source, offset, "a second YAML document begins here; a mesh file is one document");
  }
  const first = events[0];
  if (first?.type === EVENT_ID.DOCUMENT) {
    if (first.directives.some((directive) => directive.kind === "tag")) {
      throw problemAt(source, Math.max(0, source.text.indexOf("%TAG")), "%TAG directives are not supported");
    }
    const content = events[1];
    if (content.type === EVENT_ID.SCALAR && offsetOf(content) === -1) return [];
  }
  return events;
}

/** Begins a node that is written out, as opposed to an alias. */
type NodeEvent = ScalarEvent | SequenceEvent | MappingEvent;

/** A node that an alias may stand for. */
interface Anchored {
  readonly value: YamlValue;
  readonly event: number;
  /** Values in it, those that aliases repeat included. */
  readonly size: number;
}

/** Builds the document's value; the parser's limit on nesting bounds the recursion. */
function buildTree(
  source: Source,
  events: readonly Event[],
  aliases: Map<number, number>,
  ownTags: ReadonlySet<string>,
): YamlValue {
  const { text } = source;
  const anchors = new Map<string, Anchored>();
  let values = 0;
  let repeated = 0;
  let next = 1; // 0 is the document

  function build(): YamlValue {
    const index = next++;
    const event = events[index];
    if (event.type === EVENT_ID.ALIAS) return aliased(event, index);
    if (event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) {
      throw new TypeError(`event ${index} of type ${event.type} begins no node`);
    }
    const valuesBefore = values++;
    const value = tagged(event);
    if (event.anchorStart !== -1) {
      const name = text.slice(event.anchorStart, event.anchorEnd);
      anchors.set(name, { value, event: index, size: values - valuesBefore });
    }
    return value;
  }

  function aliased(event: AliasEvent, index: number): YamlValue {
    const name = text.slice(event.anchorStart, event.anchorEnd);
    const anchored = anchors.get(name);
    if (anchored === undefined) {
      throw problemAt(
        source,
        offsetOf(event),
        `the alias *${shorten(name)} stands for nothing that is complete before it`,
      );
    }
    aliases.set(index, anchored.event);
    values += anchored.size;
    repeated += anchored.size;
    if (repeated > maxRepeatedValues) {
      throw problemAt(source, offsetOf(event), `aliases repeat more than ${maxRepeatedValues} values`);
    }
    return anchored.value;
  }

  function tagged(event: NodeEvent): YamlValue {
    if (event.tagStart === -1) return content(event);
    const tag = tagName(text.slice(event.tagStart, event.tagEnd));
    if (ownTags.has(tag)) return new YamlTagged(tag, content(event));
    if (event.type !== EVENT_ID.SCALAR) {
      if (!collectionTags[event.type].has(tag)) {
        throw problemAt(source, offsetOf(event), `unknown tag ${shorten(tag)}`);
      }
      return content(event);
    }
    const read = scalarTags.get(tag);
    if (read === undefined) throw problemAt(source, offsetOf(event), `unknown tag ${shorten(tag)}`);
    const value = read(event.valueStart === -1 ? "" : getScalarValue(text, event));
    if (value === NOT_RESOLVED) {
      throw problemAt(source, offsetOf(event), `this is no value for the tag ${shorten(tag)}`);
    }
    return value;
  }

  /** What a node contains, its tag not looked at. */
  function content(event: NodeEvent): YamlValue {
    if (event.type === EVENT_ID.SCALAR) return scalarValue(text, event);
    if (event.type === EVENT_ID.SEQUENCE) {
      const items: YamlValue[] = [];
      while (events[next].type !== EVENT_ID.POP) items.push(build());
      next++;
      return items;
    }
    const map = new YamlMap();
    while (events[next].type !== EVENT_ID.POP) {
      map.keys.push(build());
      map.values.push(build());
    }
    next++;
    return map;
  }

  return build();
}

/** A tag in its short form: `!!int` for `!<tag:yaml.org,2002:int>`. */
function tagName(written: string): string {
  const verbatim = /^!<(.*)>$/.exec(written)?.[1];
  if (verbatim === undefined) return written;
  return verbatim.startsWith("tag:yaml.org,2002:")
    ? `!!${verbatim.slice("tag:yaml.org,2002:".length)}`
    : verbatim;
}
