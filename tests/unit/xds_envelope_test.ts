import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  deltaResponseType,
  discoveryResponseType,
  EnvelopeError,
  readEnvelope,
} from "../../src/xds/proto/mod.ts";

const sotw = { version: 1, resources: 2, typeUrl: 4, nonce: 5 };
const delta = { ...sotw, removed: 6 };

const never = () => undefined;

describe("xds: the outer message of a response", () => {
  it("is read without its resources", async () => {
    const bytes = deltaResponseType.encode({
      system_version_info: "v1",
      resources: [{ name: "a", version: "1", resource: null, aliases: [] }, {
        name: "b",
        version: "",
        resource: { type_url: "t", value: Uint8Array.of(1, 2) },
        aliases: [],
      }],
      type_url: "type",
      nonce: "n1",
      removed_resources: ["x", "y"],
    });
    const read = await readEnvelope(bytes, delta, never);
    const { ranges, ...rest } = read;
    assert.equal(ranges.length, 4);
    assert.deepEqual({ ...rest, resources: read.resources.length }, {
      version: "v1",
      typeUrl: "type",
      nonce: "n1",
      resources: 2,
      removed: ["x", "y"],
    });
  });

  it("skips fields that it does not know, of every wire type", async () => {
    const unknown = Uint8Array.of(
      ...[0x78, 0x96, 0x01], // 15: varint
      ...[0x79, 1, 2, 3, 4, 5, 6, 7, 8], // 15: 64 bits
      ...[0x7d, 1, 2, 3, 4], // 15: 32 bits
      ...[0x7a, 2, 0xff, 0xff], // 15: bytes
    );
    const known = discoveryResponseType.encode({ version_info: "v", nonce: "n", type_url: "t" });
    const read = await readEnvelope(Uint8Array.of(...unknown, ...known, ...unknown), sotw, never);
    assert.deepEqual({ ...read }, {
      version: "v",
      typeUrl: "t",
      nonce: "n",
      ranges: [],
      resources: [],
      removed: [],
    });
  });

  it("says what it read before the message broke off", async () => {
    const whole = discoveryResponseType.encode({ type_url: "t", nonce: "n" });
    const cut = Uint8Array.of(...whole, 0x12, 100, 1, 2);
    await assert.rejects(readEnvelope(cut, sotw, never), (error) => {
      assert.ok(error instanceof EnvelopeError);
      assert.equal(error.typeUrl, "t");
      assert.equal(error.nonce, "n");
      return true;
    });
    await assert.rejects(readEnvelope(whole.subarray(0, 2), sotw, never), EnvelopeError);
  });

  it("lets others have their turn", async () => {
    const resources = Array.from({ length: 5000 }, () => ({ type_url: "t", value: new Uint8Array(8) }));
    let pauses = 0;
    const read = await readEnvelope(discoveryResponseType.encode({ resources }), sotw, () => {
      pauses++;
      return Promise.resolve();
    });
    assert.equal(read.resources.length, 5000);
    assert.ok(pauses >= 4, `${pauses} pauses`);
  });
});
