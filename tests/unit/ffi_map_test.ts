import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { ArrayMap, createMap, HashMap, mmapable, u32, u64, workload } from "../../ffi/mod.ts";
import { countPeers, type SocketMaps } from "../../src/dataplane/programs.ts";
import { createFakeKernel, type FakeKernel } from "./_fake_kernel.ts";

const hash = 1;
const array = 2;

function create({ shim }: FakeKernel, type: number, maxEntries: number, valueSize = 8): number {
  return createMap(shim, { type, name: "some", keySize: 4, valueSize, maxEntries });
}

describe("a map", () => {
  it("is read in larger batches where one bucket of the hash does not fit, with room for them", () => {
    const kernel = createFakeKernel();
    using map = new HashMap(kernel.shim, create(kernel, hash, 10_000), {
      name: "some",
      key: u32,
      value: u64,
    });
    map.updateMany(Array.from({ length: 9000 }, (_, i) => [i, BigInt(i)] as const));
    const { call } = kernel.shim;
    const lookUp = call.weft_map_lookup_batch;
    const rooms: number[] = [];
    const few: Pick<typeof call, "weft_map_lookup_batch"> = {
      weft_map_lookup_batch: (...args) => {
        const [, , , keys, values, count] = args;
        rooms.push((count as Uint32Array)[0]);
        assert.equal((keys as ArrayBuffer).byteLength, 4 * rooms.at(-1)!);
        assert.equal((values as ArrayBuffer).byteLength, 8 * rooms.at(-1)!);
        return rooms.length === 2 ? -28 : lookUp(...args);
      },
    };
    Object.assign(call, few);
    const seen = [...map.entries()];
    assert.deepEqual(rooms, [4096, 4096, 8192]);
    assert.deepEqual(
      seen.map(([key]) => key).sort((a, b) => a - b),
      Array.from({ length: 9000 }, (_, i) => i),
    );
    assert.ok(seen.every(([key, value]) => BigInt(key) === value));
    assert.equal(map.countEntries(), 9000);
  });

  for (const [how, flags] of [["read in batches", 0], ["looked at where it lies", mmapable]] as const) {
    it(`counts a part of its values' words that are not 0, ${how}: the sockets of a bucket, not its numbers`, () => {
      const { socketBucket } = workload;
      const { shim } = createFakeKernel();
      const shape = {
        type: array,
        name: "some",
        keySize: 4,
        valueSize: socketBucket.size,
        maxEntries: 10_000,
      };
      const fd = createMap(shim, { ...shape, flags });
      using buckets = new ArrayMap(shim, fd, { name: "some", value: socketBucket });
      const sockets = { buckets } as SocketMaps;
      assert.equal(countPeers(sockets), 0);
      const bucket = { displaced: 1, holders: 2, cookies: [1n, 0n, 0n, 0n, 1n << 63n, 0n, 0n] };
      buckets.updateMany([1, 4095, 4096, 9999].map((index) => [index, bucket]));
      assert.equal(countPeers(sockets), 8);
      assert.equal(shim.counts.has("some.lookup_batch"), flags === 0);
    });
  }

  it("takes many entries in steps of one call, with something left to do after each", () => {
    const kernel = createFakeKernel();
    using map = new HashMap(kernel.shim, create(kernel, hash, 20_000), {
      name: "some",
      key: u32,
      value: u64,
    });
    for (const [count, calls] of [[1, 1], [4096, 1], [4097, 2], [10_000, 3]] as const) {
      const before = kernel.shim.counts.get("some.update_batch") ?? 0;
      const entries = Array.from({ length: count }, (_, i) => [i, BigInt(i)] as const);
      assert.equal([...map.updateInSteps(entries, count)].length, calls - 1);
      assert.equal(kernel.shim.counts.get("some.update_batch")! - before, calls);
    }
    assert.equal(map.countEntries(), 10_000);
  });

  it("takes entries as they are made, whether more come than was said, or none", () => {
    const kernel = createFakeKernel();
    using map = new ArrayMap(kernel.shim, create(kernel, array, 10), { name: "some", value: u64 });
    const some = (count: number) => Array.from({ length: count }, (_, i) => i).values();
    map.updateMany(some(0).map((i) => [i, 1n]), 0);
    map.updateMany(some(7).map((i) => [i, 1n]), 3);
    map.updateMany(some(2).map((i) => [i + 8, 1n]));
    assert.deepEqual([...map.entries()].map(([, value]) => Number(value)), [1, 1, 1, 1, 1, 1, 1, 0, 1, 1]);
  });
});
