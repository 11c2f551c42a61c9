/** A resource that was accepted and is not removed, as it came: the mesh has what it needs of it, and the rest is read again when asked for. */

import { Buffer } from "node:buffer";
import { anyType, createFieldReader, resourceType } from "./proto/mod.ts";

export interface HeldResource {
  readonly aliases: readonly string[];
  readonly version: string;
  readonly receivedAt: Date;
  /** What the type's decoder read. */
  readonly value: Uint8Array;
  /** The response that it stands in and keeps, if it does. */
  readonly shares: SharedResponse | undefined;
  /** How many bytes of that are its own. */
  readonly sharedBytes: number;
  /** The same with nothing but its own bytes. */
  packed(): HeldResource;
}

/** A large response of the delta protocol, kept while any resource of it is held where it stands. */
export interface SharedResponse {
  readonly bytes: Uint8Array;
  readonly receivedAt: Date;
  /** How many of its bytes are those of resources that are held. */
  held: number;
}

const versionField = resourceType.field("version");
const contentsField = resourceType.field("resource");
const valueField = anyType.field("value");
const noAliases: readonly string[] = [];

/** One of very many that came together: it stays where it stands in their response. A class with few fields, for there are as many. */
export class ResourceInResponse implements HeldResource {
  /** @param start of the resource's message within the response @param end behind it */
  constructor(readonly shares: SharedResponse, readonly start: number, readonly end: number) {}

  get aliases(): readonly string[] {
    return noAliases;
  }

  get version(): string {
    const { bytes } = this.shares;
    const [from, to] = lastRange(bytes, this.start, this.end, versionField);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8", from, to);
  }

  get receivedAt(): Date {
    return this.shares.receivedAt;
  }

  get value(): Uint8Array {
    const { bytes } = this.shares;
    const [from, to] = lastRange(bytes, this.start, this.end, contentsField);
    return bytes.subarray(...lastRange(bytes, from, to, valueField));
  }

  get sharedBytes(): number {
    return this.end - this.start;
  }

  packed(): HeldResource {
    return new PackedResource(this.version, this.value, this.receivedAt);
  }
}

/**
 * One that came with fewer others, if any, and would keep a buffer of its own. What was decoded is kept as a text with a unit for each
 * byte, as that is one small object where a buffer is three.
 */
export class PackedResource implements HeldResource {
  readonly #text: string;
  /** Milliseconds since 1970. */
  readonly #receivedMs: number;

  /** @param value is copied */
  constructor(readonly version: string, value: Uint8Array, receivedAt: Date) {
    this.#text = Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1");
    this.#receivedMs = receivedAt.getTime();
  }

  get aliases(): readonly string[] {
    return noAliases;
  }

  get receivedAt(): Date {
    return new Date(this.#receivedMs);
  }

  get value(): Uint8Array {
    return Buffer.from(this.#text, "latin1");
  }

  get shares(): undefined {
    return undefined;
  }

  get sharedBytes(): number {
    return 0;
  }

  packed(): HeldResource {
    return this;
  }
}

/** One that answers to other names as well; few do. */
export class AliasedResource implements HeldResource {
  constructor(readonly aliases: readonly string[], readonly resource: HeldResource) {}

  get version(): string {
    return this.resource.version;
  }

  get receivedAt(): Date {
    return this.resource.receivedAt;
  }

  get value(): Uint8Array {
    return this.resource.value;
  }

  get shares(): SharedResponse | undefined {
    return this.resource.shares;
  }

  get sharedBytes(): number {
    return this.resource.sharedBytes;
  }

  packed(): HeldResource {
    return new AliasedResource(this.aliases, this.resource.packed());
  }
}

/** Where the last field with this number is in the message in a range; an empty range where there is none. */
function lastRange(bytes: Uint8Array, start: number, end: number, wanted: number): [number, number] {
  let found: [number, number] = [end, end];
  createFieldReader(bytes)(start, end, {
    number: () => {},
    range: (field, from, to) => {
      if (field === wanted) found = [from, to];
    },
  });
  return found;
}
