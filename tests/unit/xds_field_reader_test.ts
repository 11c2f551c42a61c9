import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createByteMemo, createFieldReader, type FieldVisitor } from "../../src/xds/proto/mod.ts";

/** What a reader tells of a message, as text. */
function fieldsOf(bytes: Uint8Array, start = 0, end = bytes.length): string[] {
  const fields: string[] = [];
  const visitor: FieldVisitor = {
    number: (field, value) => fields.push(`${field}=${value}`),
    range: (field, from, to) => fields.push(`${field}:${bytes.subarray(from, to).join(".")}`),
  };
  createFieldReader(bytes)(start, end, visitor);
  return fields;
}

describe("xds: fields of a message", () => {
  it("are numbers and ranges; what has a fixed size is skipped", () => {
    const bytes = Uint8Array.of(
      ...[0x08, 0x96, 0x01],
      ...[0x09, 1, 2, 3, 4, 5, 6, 7, 8],
      ...[0x12, 2, 7, 8],
      ...[0x0d, 1, 2, 3, 4],
      ...[0x1a, 0],
      ...[0x08, 0xff, 0xff, 0xff, 0xff, 0x0f],
      ...[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    );
    assert.deepEqual(fieldsOf(bytes), ["1=150", "2:7.8", "3:", "1=4294967295", "1=4294967295"]);
    assert.deepEqual(fieldsOf(bytes, 12, 16), ["2:7.8"]);
    assert.deepEqual(fieldsOf(bytes, 0, 0), []);
  });

  it("may be read within each other", () => {
    const bytes = Uint8Array.of(0x0a, 4, 0x0a, 2, 0x08, 5, 0x10, 9);
    const read = createFieldReader(bytes);
    const seen: string[] = [];
    const visitor: FieldVisitor = {
      number: (field, value) => seen.push(`${field}=${value}`),
      range: (_, start, end) => read(start, end, visitor),
    };
    read(0, bytes.length, visitor);
    assert.deepEqual(seen, ["1=5", "2=9"]);
  });

  it("are refused where the range ends within one, or is no message", () => {
    for (
      const [bytes, reason] of [
        [[0x08], /ends within a number/],
        [[0x08, 0x80], /ends within a number/],
        [[0x12, 3, 1, 2], /ends within field 2/],
        [[0x09, 1, 2], /ends within field 1/],
        [[0x0d, 1, 2], /ends within field 1/],
        [[0x0b], /field 1 is of wire type 3/],
        [[0x0f], /field 1 is of wire type 7/],
        [[0x02, 0], /a field has no number/],
        [[0x08, ...new Array(10).fill(0x80), 1], /more than 10 bytes/],
        [[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], /ends within field 2/],
      ] as const
    ) assert.throws(() => fieldsOf(Uint8Array.from(bytes)), reason);
  });
});

describe("xds: values made of equal bytes", () => {
  it("are made once, and those of others are others", () => {
    const bytes = new TextEncoder().encode("abcabcab");
    let made = 0;
    const memo = createByteMemo(bytes, (start, end) => ({ made: ++made, text: bytes.slice(start, end) }));
    const abc = memo(0, 3);
    assert.equal(memo(3, 6), abc);
    assert.notEqual(memo(0, 2), abc);
    assert.equal(memo(6, 8), memo(0, 2));
    assert.notEqual(memo(1, 4), abc);
    assert.equal(memo(0, 0), memo(5, 5));
    assert.equal(made, 4);
  });

  it("are told apart also where their hashes are equal", () => {
    // Many more values than could be without two of one hash, were the hash as bad as one byte.
    const bytes = new Uint8Array(new Uint32Array(50_000).map((_, i) => i).buffer);
    const memo = createByteMemo(bytes, (start) => start);
    for (const _ of [1, 2]) {
      for (let at = 0; at < bytes.length; at += 4) assert.equal(memo(at, at + 4), at);
    }
  });

  it("are not remembered where they could not be made", () => {
    let tries = 0;
    const memo = createByteMemo(Uint8Array.of(1), () => {
      if (++tries < 3) throw new Error("not yet");
      return tries;
    });
    for (const _ of [1, 2]) assert.throws(() => memo(0, 1), /not yet/);
    assert.deepEqual([memo(0, 1), memo(0, 1)], [3, 3]);
  });
});
