/** One resource of a delta response: its wrapper, and what the type makes of its contents. */

import { Buffer } from "node:buffer";
import type { DeltaType } from "./delta.ts";
import {
  AliasedResource,
  type HeldResource,
  PackedResource,
  ResourceInResponse,
  type SharedResponse,
} from "./held_resource.ts";
import { anyType, createFieldReader, type FieldVisitor, resourceType } from "./proto/mod.ts";
import { ResourceError } from "./resource_error.ts";

/** The resources of a response as they are being read. */
export interface Staging<V> {
  accept(name: string, resource: HeldResource, value: V): void;
  /** @param name "" where not even that can be read */
  refuse(name: string, version: string, reason: string): void;
  finish(): Staged<V>;
}

/** What is to become of a response's resources. */
export interface Staged<V> {
  readonly accepted: Map<string, HeldResource>;
  /** In the order of `accepted`. */
  readonly values: readonly V[];
  readonly refusals: ReadonlyMap<string, { readonly version: string; readonly reason: string }>;
}

export function createStaging<V>(): Staging<V> {
  const accepted = new Map<string, HeldResource>();
  const values: V[] = [];
  const refusals = new Map<string, { version: string; reason: string }>();
  const twice = new Set<string>();

  function refuse(name: string, version: string, reason: string): void {
    if (accepted.has(name) || refusals.has(name)) {
      twice.add(name);
      refusals.set(name, { version, reason: "it is in the response more than once" });
    } else refusals.set(name, { version, reason });
  }

  return {
    accept: (name, resource, value) => {
      if (refusals.size > 0 && refusals.has(name)) return refuse(name, resource.version, "");
      // Not asked first whether it is there: that would look it up twice, and those that are there twice all go.
      accepted.set(name, resource);
      if (accepted.size === values.length) return refuse(name, resource.version, "");
      values.push(value);
    },
    refuse,
    finish: () => {
      if (twice.size === 0) return { accepted, values, refusals };
      const names = [...accepted.keys()];
      for (const name of twice) accepted.delete(name);
      return { accepted, values: values.filter((_, i) => !twice.has(names[i])), refusals };
    },
  };
}

const inResource = {
  version: resourceType.field("version"),
  resource: resourceType.field("resource"),
  name: resourceType.field("name"),
  aliases: resourceType.field("aliases"),
};
const inAny = { typeUrl: anyType.field("type_url"), value: anyType.field("value") };

const noAliases: readonly string[] = [];

/**
 * Makes a reader of the resources of one response.
 *
 * @param shared whether what is kept stays where it stands; else it is copied
 * @param into what gets them
 * @returns reads the resource in a range of it
 */
export function createResourceReader<V>(
  response: SharedResponse,
  shared: boolean,
  { typeUrl, decoder }: DeltaType<V>,
  into: Staging<V>,
): (start: number, end: number) => void {
  const { bytes } = response;
  const readFields = createFieldReader(bytes);
  const decode = decoder(bytes);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = (start: number, end: number) => buffer.toString("utf8", start, end);
  const expected = new TextEncoder().encode(typeUrl);

  /** No text is made of what is as expected, a hundred thousand times. */
  function typeIn(start: number, end: number): string {
    if (end - start !== expected.length) return text(start, end);
    for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return text(start, end);
    return typeUrl;
  }

  let name: string;
  /** Where the version is: no text is made of it unless it is asked for. */
  let versionFrom: number;
  let versionTo: number;
  let aliases: readonly string[];
  /** The contents, and where their value is; `undefined` where there are none. */
  let contents: { type: string; from: number; to: number } | undefined;

  const anyFields: FieldVisitor = {
    number: () => {},
    range: (field, start, end) => {
      if (field === inAny.typeUrl) contents!.type = typeIn(start, end);
      else if (field === inAny.value) [contents!.from, contents!.to] = [start, end];
    },
  };
  const resourceFields: FieldVisitor = {
    number: () => {},
    range: (field, start, end) => {
      if (field === inResource.name) name = text(start, end);
      else if (field === inResource.version) [versionFrom, versionTo] = [start, end];
      else if (field === inResource.aliases) aliases = [...aliases, text(start, end)];
      else if (field === inResource.resource) {
        contents = { type: "", from: end, to: end };
        readFields(start, end, anyFields);
      }
    },
  };

  return (start, end) => {
    [name, versionFrom, versionTo, aliases, contents] = ["", 0, 0, noAliases, undefined];
    const refuse = (reason: string) => into.refuse(name, text(versionFrom, versionTo), reason);
    try {
      readFields(start, end, resourceFields);
    } catch (error) {
      return refuse(`it cannot be read: ${messageOf(error)}`);
    }
    if (name === "") return refuse("it has no name");
    if (contents === undefined) return refuse("it has no contents");
    const { type, from, to } = contents;
    if (type !== typeUrl) return refuse(`it is a ${type}, expected a ${typeUrl}`);
    try {
      const value = decode(name, from, to);
      const resource = shared
        ? new ResourceInResponse(response, start, end)
        : new PackedResource(text(versionFrom, versionTo), bytes.subarray(from, to), response.receivedAt);
      into.accept(name, aliases.length === 0 ? resource : new AliasedResource(aliases, resource), value);
    } catch (error) {
      const reason = messageOf(error);
      return refuse(error instanceof ResourceError ? reason : `its contents cannot be read: ${reason}`);
    }
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
