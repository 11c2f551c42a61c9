import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { capacityFor, RecordError } from "../../src/records/mod.ts";
import { capacityOf, classCount, classOf, classServedBy, maxLength } from "../../src/records/size_class.ts";

/** Every short length, and those around each power of two and each class of the long ones. */
function* lengths(): Generator<number> {
  for (let length = 1; length <= 100_000; length++) yield length;
  for (let power = 2 ** 16; power <= 2 ** 30; power *= 2) {
    for (let quarter = 0; quarter < 4; quarter++) {
      for (let off = -2; off <= 2; off++) {
        const length = power + quarter * power / 4 + off;
        if (length <= maxLength) yield length;
      }
    }
  }
}

describe("size classes", () => {
  it("have ever more room, and a class for what is exactly as long", () => {
    assert.deepEqual(
      Array.from({ length: 17 }, (_, sizeClass) => capacityOf(sizeClass)),
      [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40],
    );
    for (let sizeClass = 0; sizeClass < classCount; sizeClass++) {
      if (sizeClass > 0) assert.ok(capacityOf(sizeClass) > capacityOf(sizeClass - 1));
      if (capacityOf(sizeClass) <= maxLength) assert.equal(classOf(capacityOf(sizeClass)), sizeClass);
    }
    assert.equal(classCount, classOf(maxLength) + 1);
  });

  it("hold each length in the smallest class that can, and leave at most a fifth unused", () => {
    for (const length of lengths()) {
      const sizeClass = classOf(length);
      const capacity = capacityOf(sizeClass);
      // Not by assert.ok alone: a hundred thousand messages would take longer than the test.
      if (
        capacity < length || sizeClass > 0 && capacityOf(sizeClass - 1) >= length ||
        (capacity - length) / capacity > 0.2 || capacityFor(length) !== capacity || sizeClass >= classCount
      ) assert.fail(`${length} entries come into class ${sizeClass} with room for ${capacity}`);
    }
  });

  it("waste an eighth on average at most", () => {
    for (let power = 8; power <= 2 ** 16; power *= 2) {
      let room = 0, used = 0;
      for (let length = power + 1; length <= 2 * power; length++) {
        room += capacityFor(length);
        used += length;
      }
      assert.ok((room - used) / room < 1 / 8, `lengths above ${power}`);
    }
  });

  it("are served by inner maps of any capacity: the largest class that fits in", () => {
    for (const capacity of lengths()) {
      const sizeClass = classServedBy(capacity);
      if (capacityOf(sizeClass) > capacity || capacityOf(sizeClass + 1) <= capacity) {
        assert.fail(`an inner map for ${capacity} serves class ${sizeClass}`);
      }
    }
  });

  it("refuse what is no length", () => {
    for (const length of [0, -0, -1, 1.5, NaN, Infinity, -Infinity, maxLength + 1, 2 ** 32, 2 ** 53]) {
      assert.throws(
        () => capacityFor(length),
        (error) => error instanceof RecordError && error.message.includes(` ${length} entries`),
      );
    }
    assert.equal(capacityFor(maxLength), 2 ** 30);
  });
});
