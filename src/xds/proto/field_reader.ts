/**
 * Reads the fields of a message one by one, without an object for it. For the few messages that come by the hundred thousand; all
 * others are decoded as they are (`MessageType.decode`).
 */

/** What a message's fields are handed to. */
export interface FieldVisitor {
  /** A number, an enum or a boolean. @param value its lower 32 bits, as an unsigned number */
  number(field: number, value: number): void;
  /** A text, bytes or a message: where it stands. It may be read in turn. */
  range(field: number, start: number, end: number): void;
}

/** Visits the fields of the message in a range, in the order in which they stand. */
export type FieldReader = (start: number, end: number, visitor: FieldVisitor) => void;

/** How a field stands on the wire. */
const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;

/** The most bytes that a number may have. */
const maxVarintBytes = 10;

/**
 * Makes a reader of messages within `bytes`. Fixed-size fields are skipped.
 *
 * @returns it throws an Error where the range is no message
 */
export function createFieldReader(bytes: Uint8Array): FieldReader {
  let at = 0;

  function readVarint(end: number): number {
    let value = 0;
    for (let i = 0; i < maxVarintBytes; i++) {
      if (at >= end) throw new Error("it ends within a number");
      const byte = bytes[at++];
      if (i < 5) value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return value >>> 0;
    }
    throw new Error(`a number has more than ${maxVarintBytes} bytes`);
  }

  function skip(length: number, end: number, field: number): void {
    if (length > end - at) throw new Error(`it ends within field ${field}`);
    at += length;
  }

  return (start, end, visitor) => {
    at = start;
    while (at < end) {
      const tag = readVarint(end);
      const field = tag >>> 3;
      if (field === 0) throw new Error("a field has no number");
      const kind = tag & 7;
      if (kind === lengthDelimited) {
        const length = readVarint(end);
        const from = at;
        skip(length, end, field);
        const to = at;
        visitor.range(field, from, to);
        // The visitor may have read on from elsewhere.
        at = to;
      } else if (kind === varint) visitor.number(field, readVarint(end));
      else if (kind === fixed64) skip(8, end, field);
      else if (kind === fixed32) skip(4, end, field);
      else throw new Error(`field ${field} is of wire type ${kind}`);
    }
  };
}
