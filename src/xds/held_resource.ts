/** A resource that was accepted and is not removed, as it stands in the response that it came in. */

import { Buffer } from "node:buffer";
import { anyType, createFieldReader, resourceType } from "./proto/mod.ts";

/** A response of the delta protocol, kept while any resource of it is held. */
export interface ReceivedResponse {
  readonly bytes: Uint8Array;
  readonly receivedAt: Date;
}

const versionField = resourceType.field("version");
const contentsField = resourceType.field("resource");
const valueField = anyType.field("value");

const noAliases: readonly string[] = [];

/**
 * The mesh has what it needs of the contents, which stay as they came. A class with few fields, as there are a hundred thousand of
 * them: what is seldom asked for is read from the response again.
 */
export class HeldResource {
  /** @param start of the resource's message within the response @param end behind it */
  constructor(
    readonly response: ReceivedResponse,
    readonly start: number,
    readonly end: number,
  ) {}

  get aliases(): readonly string[] {
    return noAliases;
  }

  get version(): string {
    const { bytes } = this.response;
    const [from, to] = lastRange(bytes, this.start, this.end, versionField);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8", from, to);
  }

  get receivedAt(): Date {
    return this.response.receivedAt;
  }

  /** What the type's decoder read. */
  get value(): Uint8Array {
    const { bytes } = this.response;
    const [start, end] = lastRange(bytes, this.start, this.end, contentsField);
    return bytes.subarray(...lastRange(bytes, start, end, valueField));
  }
}

/** One that answers to other names as well; few do. */
export class AliasedResource extends HeldResource {
  readonly #aliases: readonly string[];

  constructor(aliases: readonly string[], response: ReceivedResponse, start: number, end: number) {
    super(response, start, end);
    this.#aliases = aliases;
  }

  override get aliases(): readonly string[] {
    return this.#aliases;
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
