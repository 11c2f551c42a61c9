import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createFrameReader, frame } from "../../src/xds/grpc_frames.ts";

const messages = [Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.from({ length: 300 }, (_, i) => i)];
const wire = Uint8Array.from(messages.flatMap((message) => [...frame(message)]));

describe("gRPC's frames", () => {
  it("are put together from pieces of any size", () => {
    for (const size of [1, 2, 3, 5, 7, 100, wire.length]) {
      const { read } = createFrameReader(300);
      const got: Uint8Array[] = [];
      for (let at = 0; at < wire.length; at += size) {
        const piece = wire.slice(at, at + size);
        got.push(...read(piece));
        piece.fill(0xff); // It was not kept.
      }
      assert.deepEqual(got, messages, `pieces of ${size}`);
    }
  });

  it("that are compressed or too long are refused", () => {
    assert.throws(() => createFrameReader(300).read(Uint8Array.of(1, 0, 0, 0, 0)), /a compressed message/);
    assert.throws(() => createFrameReader(299).read(wire), /a message of 300 bytes, expected at most 299/);
  });
});
