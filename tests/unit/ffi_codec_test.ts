import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { u32, u64 } from "../../ffi/mod.ts";
import { readBytes } from "../../ffi/codec.ts";

describe("the codecs of plain numbers", () => {
  it("are little-endian, at whatever place", () => {
    const bytes = new Uint8Array(14);
    u32.write(new DataView(bytes.buffer, 1), 0, 0x01020304);
    u64.write(new DataView(bytes.buffer, 1), 4, 0x1112131415161718n);
    assert.deepEqual([...bytes], [0, 4, 3, 2, 1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0]);
    assert.equal(u32.read(new DataView(bytes.buffer), 1), 0x01020304);
    assert.equal(u64.read(new DataView(bytes.buffer), 5), 0x1112131415161718n);
  });

  it("take everything that fits", () => {
    const view = new DataView(new ArrayBuffer(8));
    for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
      u32.write(view, 0, value);
      assert.equal(u32.read(view, 0), value);
    }
    for (const value of [0n, 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      u64.write(view, 0, value);
      assert.equal(u64.read(view, 0), value);
    }
  });

  it("refuse what does not fit, and leave what was there", () => {
    const view = new DataView(new Uint8Array(8).fill(7).buffer);
    for (const value of [-1, 2 ** 32, 1.5, NaN, Infinity]) {
      assert.throws(() => u32.write(view, 0, value), {
        name: "RangeError",
        message: `a number of 32 bits: expected a whole number from 0 to 4294967295, got ${value}`,
      });
    }
    for (const value of [-1n, 2n ** 64n]) assert.throws(() => u64.write(view, 0, value), RangeError);
    assert.deepEqual([...new Uint8Array(view.buffer)], [7, 7, 7, 7, 7, 7, 7, 7]);
  });
});

describe("readBytes", () => {
  it("copies: a map's buffer is used again for the next element", () => {
    const buffer = Uint8Array.of(0, 1, 2, 3, 4);
    const copy = readBytes(new DataView(buffer.buffer, 1), 1, 2);
    assert.deepEqual([...copy], [2, 3]);
    buffer.fill(9);
    assert.deepEqual([...copy], [2, 3]);
  });
});
