/**
 * The pieces that the mesh file's zod schema is made of. They take the values of `yaml_tree.ts`.
 *
 * An issue's message is what was expected there, in words; `mesh_problems.ts` adds the place and what was found.
 * A number in an issue's path is the index of a list's item or of a map's entry, a string is a struct's key.
 */

import { z } from "zod";
import { YamlMap, YamlTagged, type YamlValue } from "./yaml_tree.ts";

/** What an issue says besides its message, where a path can't. */
export interface IssueParams {
  /** What is wrong with the key of an entry. */
  readonly problem: "unknown key" | "repeated key" | "wrong key";
  /** Index of the entry within its mapping. */
  readonly entry: number;
  /** For a repeated key: index of the entry that has it first. */
  readonly first?: number;
  /** For an unknown key: those that the struct has. */
  readonly known?: readonly string[];
}

/** Issues after which a list or a map is not read further: one error names few of them. */
export const maxIssues = 20;

/** Schemas of a struct's fields, by key. */
type Fields = Readonly<Record<string, z.ZodType>>;
type Struct<F extends Fields> = z.output<z.ZodObject<F>>;

/** Where a reading function leaves its issues. */
type Context = z.core.$RefinementCtx<unknown>;

/** Text; a number or `true` is not. */
export const text = z.string({ error: "text" });

/** `true` or `false`. */
export const boolean = z.boolean({ error: "true or false" });

/** An integer; `80.0` and `"80"` are not. */
export function integer(min: number, max: number): z.ZodType<number> {
  const error = `an integer ${min}..${max}`;
  return z.int({ error }).min(min, { error, abort: true }).max(max, { error });
}

/** One of some words. */
export function oneOf<const Words extends readonly string[]>(...words: Words): z.ZodType<Words[number]> {
  return z.enum(words, { error: `one of ${words.join(", ")}` });
}

/** Text that `parse` understands, which answers `undefined` where it does not. */
export function parsed<T>(expected: string, parse: (text: string) => T | undefined): z.ZodType<T> {
  return read((input, context) => {
    const value = typeof input === "string" ? parse(input) : undefined;
    return value === undefined ? refuse(context, expected) : value;
  });
}

/** A value that may be left out; a key without a value counts as left out. */
export function optional<T, D>(schema: z.ZodType<T>, absent: D): z.ZodType<T | D> {
  return schema.nullish().transform((value) => value ?? absent);
}

/** A value whose key must be written, though it may be without a value. */
export function orNull<T, D>(schema: z.ZodType<T>, empty: D): z.ZodType<T | D> {
  return schema.nullable().transform((value) => value ?? empty);
}

/** A list. */
export function list<T>(item: z.ZodType<T>): z.ZodType<T[]> {
  return read((input, context) => {
    if (!Array.isArray(input)) return refuse(context, "a list");
    const items: T[] = [];
    for (let index = 0; index < input.length && context.issues.length < maxIssues; index++) {
      const result = item.safeParse(input[index]);
      if (result.success) items.push(result.data);
      else adopt(context, result.error, index);
    }
    return items;
  });
}

/** A map with fixed keys: each at most once, and no others. */
export function struct<F extends Fields>(fields: F): z.ZodType<Struct<F>> {
  return structOf(fields, true);
}

/** A map with fixed keys, in which others have no meaning and do no harm (`ignoredKeys` finds them). */
export function openStruct<F extends Fields>(fields: F): z.ZodType<Struct<F>> {
  return structOf(fields, false);
}

function structOf<F extends Fields>(fields: F, closed: boolean): z.ZodType<Struct<F>> {
  const known = Object.keys(fields);
  const isKnown = new Set<YamlValue>(known);
  const object = z.object(fields);
  return read((input, context) => {
    if (!(input instanceof YamlMap)) return refuse(context, `a map of ${known.join(", ")}`);
    const values: Record<string, YamlValue> = {};
    for (let entry = 0; entry < input.keys.length && context.issues.length < maxIssues; entry++) {
      const key = input.keys[entry] as string;
      if (!isKnown.has(key)) {
        if (closed) refuse(context, "", { problem: "unknown key", entry, known });
      } else if (Object.hasOwn(values, key)) {
        refuse(context, "", { problem: "repeated key", entry, first: input.keys.indexOf(key) });
      } else {
        values[key] = input.values[entry];
      }
    }
    const result = object.safeParse(values);
    if (result.success) return result.data;
    return adopt(context, result.error);
  });
}

/** The entries of an open struct that have no meaning, by index. */
export function ignoredKeys(map: YamlMap, fields: object): number[] {
  return [...map.keys.keys()].filter((entry) => {
    const key = map.keys[entry];
    return typeof key !== "string" || !Object.hasOwn(fields, key);
  });
}

/**
 * A map with keys of one kind. Of entries with the same key the last counts.
 *
 * @param expected what a key should be
 */
export function mapOf<K extends string | number, V>(
  expected: string,
  isKey: (key: unknown) => key is K,
  value: z.ZodType<V>,
): z.ZodType<Map<K, V>> {
  return read((input, context) => {
    if (!(input instanceof YamlMap)) return refuse(context, "a map");
    const map = new Map<K, V>();
    for (let entry = 0; entry < input.keys.length && context.issues.length < maxIssues; entry++) {
      const key = input.keys[entry];
      const result = value.safeParse(input.values[entry]);
      if (!isKey(key)) refuse(context, expected, { problem: "wrong key", entry });
      else if (result.success) map.set(key, result.data);
      else adopt(context, result.error, entry);
    }
    return map;
  });
}

/** A value with one of several tags, each with a schema for what stands behind it. */
export function tagged<T>(schemas: ReadonlyMap<string, z.ZodType<T>>): z.ZodType<T> {
  return read((input, context) => {
    const schema = input instanceof YamlTagged ? schemas.get(input.tag) : undefined;
    if (schema === undefined) return refuse(context, `one of the tags ${[...schemas.keys()].join(", ")}`);
    const result = schema.safeParse((input as YamlTagged).value);
    return result.success ? result.data : adopt(context, result.error);
  });
}

/** A schema that is a function; `undefined` is a key that is not there. */
function read<T>(reader: (input: unknown, context: Context) => T): z.ZodType<T> {
  return z.transform(reader) as unknown as z.ZodType<T>;
}

/** Adds an issue. */
function refuse(context: Context, expected: string, params?: IssueParams): never {
  context.issues.push({ code: "custom", message: expected, params: { ...params }, input: undefined });
  return z.NEVER;
}

/** Adds the issues of a part, at a step if it is one step down. */
function adopt(context: Context, error: z.ZodError, step?: number): never {
  for (const issue of error.issues) {
    const path = step === undefined ? issue.path : [step, ...issue.path];
    context.issues.push({ ...issue, path, input: undefined } as z.core.$ZodRawIssue);
  }
  return z.NEVER;
}
