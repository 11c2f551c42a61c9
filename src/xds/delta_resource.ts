/** One resource of a delta response: its wrapper, and what the type makes of its contents. */

import { Buffer } from "node:buffer";
import type { DeltaType, HeldResource } from "./delta.ts";
import { anyType, createByteMemo, createFieldReader, type FieldVisitor, resourceType } from "./proto/mod.ts";
import { ResourceError } from "./resource_error.ts";

/** What is to become of one name of a response. */
export type Candidate<V> =
  | { readonly resource: HeldResource; readonly value: V }
  | { readonly refused: string; readonly version: string };

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
 * @param bytes the whole response
 * @returns reads the resource in a range of it; its name is "" where not even that can be read
 */
export function createResourceReader<V>(
  bytes: Uint8Array,
  { typeUrl, decoder }: DeltaType<V>,
  receivedAt: Date,
): (start: number, end: number) => { readonly name: string; readonly candidate: Candidate<V> } {
  const readFields = createFieldReader(bytes);
  const decode = decoder(bytes);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = (start: number, end: number) => buffer.toString("utf8", start, end);
  const sharedText = createByteMemo(bytes, text);

  let name: string;
  let version: string;
  let aliases: readonly string[];
  /** The contents, and where their value is; `undefined` where there are none. */
  let contents: { type: string; from: number; to: number } | undefined;

  const anyFields: FieldVisitor = {
    number: () => {},
    range: (field, start, end) => {
      if (field === inAny.typeUrl) contents!.type = sharedText(start, end);
      else if (field === inAny.value) [contents!.from, contents!.to] = [start, end];
    },
  };
  const resourceFields: FieldVisitor = {
    number: () => {},
    range: (field, start, end) => {
      if (field === inResource.name) name = text(start, end);
      else if (field === inResource.version) version = text(start, end);
      else if (field === inResource.aliases) aliases = [...aliases, text(start, end)];
      else if (field === inResource.resource) {
        contents = { type: "", from: end, to: end };
        readFields(start, end, anyFields);
      }
    },
  };

  return (start, end) => {
    [name, version, aliases, contents] = ["", "", noAliases, undefined];
    const refuse = (refused: string) => ({ name, candidate: { refused, version } });
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
      const resource = { name, version, receivedAt, aliases, bytes, start: from, end: to };
      return { name, candidate: { resource, value } };
    } catch (error) {
      const reason = messageOf(error);
      return refuse(error instanceof ResourceError ? reason : `its contents cannot be read: ${reason}`);
    }
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
