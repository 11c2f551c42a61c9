import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { workload } from "../../ffi/mod.ts";
import { frontendTag, frontendWord, rangeTag, rangeWord } from "../../src/dataplane/frontend_tag.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import { compileC, haveCommands } from "./_c_program.ts";
import { randomFrom } from "./_random.ts";

/** Random ones, some bytes of which are often all zeros or ones, and those that a mesh has. */
function frontendKeys(): workload.FrontendKey[] {
  const random = randomFrom(1);
  const byte = () => Math.floor(random() * 256);
  const extreme = () => [0, 1, 0x7f, 0x80, 0xff][Math.floor(random() * 5)];
  const keys: workload.FrontendKey[] = Array.from({ length: 5000 }, (_, i) => {
    const one = i % 2 === 0 ? byte : extreme;
    return {
      address: Uint8Array.from({ length: 16 }, one),
      port: one() << 8 | one(),
      protocol: one(),
    };
  });
  for (const address of ["10.96.0.1", "0.0.0.0", "255.255.255.255", "fd96::1", "::"]) {
    for (const port of [0, 80, 255, 256, 65535]) {
      for (const protocol of [0, 6, 17]) keys.push({ address: addressToBytes(address), port, protocol });
    }
  }
  return keys;
}

describe("frontendTag", () => {
  const canCompile = haveCommands("frontendTag is not held against bpf/lb.h", ["gcc"]);

  it("is frontend_tag() of bpf/lb.h", { ignore: !canCompile }, async () => {
    using program = await compileC("frontend_tag");
    const { size, write } = workload.frontendKey;
    const keys = frontendKeys();
    const input = new Uint8Array(keys.length * size);
    keys.forEach((key, i) => write(new DataView(input.buffer), i * size, key));
    const inC = (await program.run([], input)).map((line) => line.split(" ").map(Number));
    assert.equal(inC.length, keys.length);
    keys.forEach((key, i) => {
      const [tag, tie] = inC[i];
      assert.equal(frontendTag(key), tag, Deno.inspect(key));
      const id = new DataView(key.address.buffer).getUint32(12, true);
      assert.deepEqual(frontendWord(key, id), { servicePort: id, tag: (tag ^ tie) >>> 0 });
    });
  });

  it("reads an address wherever in a buffer it lies", () => {
    const address = addressToBytes("10.96.0.1");
    const inside = Uint8Array.of(1, 2, 3, ...address, 4, 5, 6).subarray(3, 19);
    assert.equal(
      frontendTag({ address: inside, port: 80, protocol: 6 }),
      frontendTag({ address, port: 80, protocol: 6 }),
    );
  });

  it("tells keys apart that differ in one bit", () => {
    const key = { address: addressToBytes("10.96.0.1"), port: 80, protocol: 6 };
    const others = [
      ...Array.from({ length: 128 }, (_, bit) => ({
        ...key,
        address: key.address.map((byte, i) => i === bit >> 3 ? byte ^ 1 << (bit & 7) : byte),
      })),
      ...Array.from({ length: 16 }, (_, bit) => ({ ...key, port: key.port ^ 1 << bit })),
      ...Array.from({ length: 8 }, (_, bit) => ({ ...key, protocol: key.protocol ^ 1 << bit })),
    ];
    const tags = new Set([key, ...others].map(frontendTag));
    assert.equal(tags.size, 1 + 128 + 16 + 8);
  });
});

describe("words", () => {
  it("of two ids, mixed byte by byte, are nobody's", () => {
    const key = { address: addressToBytes("10.96.0.1"), port: 80, protocol: 6 };
    const range = { address: addressToBytes("10.98.0.0"), prefixLength: 112 };
    const bytesOf = ([id, tag]: number[]) => new Uint8Array(Uint32Array.of(id, tag).buffer);
    const forms = [
      (id: number) => Object.values(frontendWord(key, id)) as number[],
      (id: number) => Object.values(rangeWord(range, id)) as number[],
    ];
    for (const form of forms) {
      for (const [one, other] of [[2, 3], [5, 500], [256, 65_536], [1, 70_000]]) {
        const [from, to] = [bytesOf(form(one)), bytesOf(form(other))];
        for (let copied = 0; copied <= 8; copied++) {
          const mixed = Uint8Array.from(from, (byte, i) => i < copied ? to[i] : byte);
          const [id, tag] = new Uint32Array(mixed.buffer);
          if (form(id)[1] === tag) assert.ok([one, other].includes(id), `${id} after ${copied} bytes`);
        }
      }
    }
  });
});

describe("rangeTag", () => {
  const canCompile = haveCommands("rangeTag is not held against bpf/lb.h", ["gcc"]);

  it("is range_tag() of bpf/lb.h for every address in the range", { ignore: !canCompile }, async () => {
    using program = await compileC("range_tag");
    const random = randomFrom(2);
    const { size, write } = workload.rangeKey;
    const inside = Array.from({ length: 129 * 20 }, (_, i) => ({
      prefixLength: i % 129,
      address: Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256)),
    }));
    const input = new Uint8Array(inside.length * size);
    inside.forEach((key, i) => write(new DataView(input.buffer), i * size, key));
    const inC = (await program.run([], input)).map(Number);
    assert.equal(inC.length, inside.length);
    inside.forEach(({ prefixLength, address }, i) => {
      const first = address.map((byte, at) =>
        byte & 0xff << 8 - Math.min(8, Math.max(0, prefixLength - 8 * at))
      );
      assert.equal(rangeTag({ prefixLength, address: first }), inC[i], `${first} / ${prefixLength}`);
    });
    assert.ok(new Set(inC).size > 2400, "ranges have different tags");
  });
});
