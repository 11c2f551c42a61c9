/**
 * The outer message of a response, read without decoding what is in it: one response may hold 100,000 resources, and decoding
 * them all at once would block the event loop for longer than a keepalive may wait.
 */

import protobuf from "protobufjs";
import type { Pause } from "../../host/slices.ts";

/** Where the fields of a response are: their numbers differ between the two variants of xDS only in the version's meaning. */
export interface EnvelopeFields {
  readonly version: number;
  readonly resources: number;
  readonly typeUrl: number;
  readonly nonce: number;
  /** The delta protocol's list of removed names. */
  readonly removed?: number;
}

/** The outer message of a response. */
export interface Envelope {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  /** Where each resource's bytes begin and end in the message, one after the other. */
  readonly ranges: readonly number[];
  /** Each resource's bytes, not decoded: views into the message, made on demand. */
  readonly resources: readonly Uint8Array[];
  readonly removed: readonly string[];
}

/** The outer message is not what it should be; nothing of it was applied. */
export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";

  /** @param typeUrl @param nonce what could be read before it broke, "" where they were not */
  constructor(message: string, readonly typeUrl: string, readonly nonce: string, cause: unknown) {
    super(message, { cause });
  }
}

const lengthDelimited = 2;

/**
 * Reads the outer message, and lets the event loop turn now and then.
 *
 * @param pause called every few thousand resources; what it returns is awaited
 * @throws {EnvelopeError} where the bytes are cut off or no such message
 */
export async function readEnvelope(
  bytes: Uint8Array,
  fields: EnvelopeFields,
  pause: Pause,
): Promise<Envelope> {
  const ranges: number[] = [];
  const removed: string[] = [];
  const text = { version: "", typeUrl: "", nonce: "" };
  // Not Reader.create: what it makes of a Buffer takes strings that are cut off.
  const reader = new protobuf.Reader(bytes);
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const field = tag >>> 3;
      if ((tag & 7) !== lengthDelimited) {
        if (field === 0) throw new Error("a field without a number");
        reader.skipType(tag & 7);
      } else if (field === fields.resources) {
        const length = reader.uint32();
        if (length > reader.len - reader.pos) throw new Error("a resource is longer than the message");
        ranges.push(reader.pos, reader.pos + length);
        reader.pos += length;
      } else if (field === fields.removed) removed.push(reader.string());
      else if (field === fields.version) text.version = reader.string();
      else if (field === fields.typeUrl) text.typeUrl = reader.string();
      else if (field === fields.nonce) text.nonce = reader.string();
      else if (field === 0) throw new Error("a field without a number");
      else reader.skipType(lengthDelimited);
      if ((ranges.length / 2 + removed.length) % 1024 === 0) await pause();
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EnvelopeError(`the response cannot be read: ${reason}`, text.typeUrl, text.nonce, cause);
  }
  return {
    ...text,
    ranges,
    get resources() {
      return Array.from(
        { length: ranges.length / 2 },
        (_, i) => bytes.subarray(ranges[2 * i], ranges[2 * i + 1]),
      );
    },
    removed,
  };
}
