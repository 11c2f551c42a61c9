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
  /** The same with nothing but its own bytes. */
  packed(): HeldResource;
}

/** A response of the delta protocol, kept while any resource of it is held where it stands. */
export interface ReceivedResponse {
  readonly bytes: Uint8Array;
  readonly receivedAt: Date;
}

/** A large one, of which fewer and fewer resources are held as they change. */
export interface SharedResponse extends ReceivedResponse {
  /** How many resources it brought. */
  readonly most: number;
  /** How many of them are held now. */
  held: number;
}

const versionField = resourceType.field("version");
const contentsField = resourceType.field("resource");
const valueField = anyType.field("value");
const noAliases: readonly string[] = [];

/** Where a resource's message is. */
type Place = readonly [bytes: Uint8Array, start: number, end: number];

/** Classes with few fields, as there are a hundred thousand of them. */
abstract class ReadAgain implements HeldResource {
  abstract readonly receivedAt: Date;
  abstract readonly shares: SharedResponse | undefined;
  abstract packed(): HeldResource;
  protected abstract readonly place: Place;

  get aliases(): readonly string[] {
    return noAliases;
  }

  get version(): string {
    const [bytes, start, end] = this.place;
    const [from, to] = lastRange(bytes, start, end, versionField);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8", from, to);
  }

  get value(): Uint8Array {
    const [bytes, start, end] = this.place;
    const [from, to] = lastRange(bytes, start, end, contentsField);
    return bytes.subarray(...lastRange(bytes, from, to, valueField));
  }
}

/** One of many that came together: it stays where it stands in their response. */
export class ResourceInResponse extends ReadAgain {
  /** @param start of the resource's message within the response @param end behind it */
  constructor(readonly response: SharedResponse, readonly start: number, readonly end: number) {
    super();
  }

  override get receivedAt(): Date {
    return this.response.receivedAt;
  }

  override get shares(): SharedResponse {
    return this.response;
  }

  override packed(): HeldResource {
    return new PackedResource(this.response, this.start, this.end);
  }

  protected override get place(): Place {
    return [this.response.bytes, this.start, this.end];
  }
}

/**
 * One that came with few others, if any, and would keep a buffer of its own. Its bytes are kept as a text with a unit for each, as
 * that is one small object where a buffer is three.
 */
export class PackedResource extends ReadAgain {
  readonly #text: string;
  /** Milliseconds since 1970. */
  readonly #receivedMs: number;

  /** A copy is kept: nothing of the response stays in use. */
  constructor({ bytes, receivedAt }: ReceivedResponse, start: number, end: number) {
    super();
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1", start, end);
    this.#receivedMs = receivedAt.getTime();
  }

  override get receivedAt(): Date {
    return new Date(this.#receivedMs);
  }

  override get shares(): undefined {
    return undefined;
  }

  override packed(): HeldResource {
    return this;
  }

  protected override get place(): Place {
    const bytes = Buffer.from(this.#text, "latin1");
    return [bytes, 0, bytes.length];
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

  get shares(): SharedResponse | undefined {
    return this.resource.shares;
  }

  packed(): HeldResource {
    return new AliasedResource(this.aliases, this.resource.packed());
  }

  get value(): Uint8Array {
    return this.resource.value;
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
