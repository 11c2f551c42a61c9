import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createIndexAllocator } from "../../src/records/mod.ts";
import { randomFrom } from "./_random.ts";

describe("an index allocator", () => {
  it("hands nothing out twice, leaves no gap without need, and needs room for what is taken", () => {
    const random = randomFrom(1);
    for (let run = 0; run < 200; run++) {
      const first = Math.floor(random() * 4);
      const allocator = createIndexAllocator(first);
      const taken = new Set<number>();
      const end = () => Math.max(first, ...[...taken].map((index) => index + 1));
      const upwards = random();
      for (let step = 0; step < 150; step++) {
        if (random() < 0.1) {
          const index = first + Math.floor(random() * 30);
          allocator.reserve(index);
          taken.add(index);
        } else if (random() < upwards) {
          const gaps = end() - first > taken.size;
          const before = end();
          const index = allocator.take();
          assert.ok(!taken.has(index) && index >= first, `${index} was handed out`);
          assert.ok(
            gaps ? index < before : index === before,
            `${index} was handed out, ${before} is the end`,
          );
          taken.add(index);
        } else if (taken.size > 0) {
          const index = [...taken][Math.floor(random() * taken.size)];
          allocator.giveBack(index);
          taken.delete(index);
        }
        assert.equal(allocator.used, taken.size);
        assert.equal(allocator.end, end());
      }
    }
  });

  it("takes nothing back that it did not hand out", () => {
    const allocator = createIndexAllocator(2);
    assert.throws(() => allocator.giveBack(2), /index 2 was given back but not taken/);
    const index = allocator.take();
    allocator.giveBack(index);
    assert.throws(() => allocator.giveBack(index), /index 2 was given back but not taken/);
    assert.equal(allocator.take(), 2);
    assert.equal(allocator.take(), 3);
  });

  it("knows what is taken however many there are", () => {
    const allocator = createIndexAllocator(1);
    for (let index = 1; index <= 5000; index++) assert.equal(allocator.take(), index);
    allocator.giveBack(7);
    assert.deepEqual([allocator.take(), allocator.take(), allocator.used], [7, 5001, 5001]);
  });
});
