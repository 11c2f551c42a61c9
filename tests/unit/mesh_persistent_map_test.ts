import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { diff, emptyMap, mapOf, type PersistentMap } from "../../src/mesh/persistent_map.ts";
import { randomFrom } from "./_random.ts";

function assertHolds<V>(map: PersistentMap<V>, expected: ReadonlyMap<string, V>): void {
  assert.equal(map.size, expected.size);
  assert.deepEqual(new Map(map.entries()), expected);
  assert.deepEqual(new Set(map.keys()), new Set(expected.keys()));
  assert.equal([...map.values()].length, expected.size);
  const visited: [string, V][] = [];
  map.forEach((value, key) => visited.push([key, value]));
  assert.deepEqual(visited.length, expected.size);
  assert.deepEqual(new Map(visited), expected);
  for (const [key, value] of expected) assert.equal(map.get(key), value);
}

function assertDiff<V>(before: PersistentMap<V>, after: PersistentMap<V>): void {
  const expected = new Map<string, [V | undefined, V | undefined]>();
  for (const key of [...before.keys(), ...after.keys()]) {
    if (before.get(key) !== after.get(key)) expected.set(key, [before.get(key), after.get(key)]);
  }
  const found = [...diff(before, after)];
  assert.equal(found.length, expected.size, "each change is told once");
  assert.deepEqual(new Map(found.map((change) => [change.key, [change.before, change.after]])), expected);
}

const hashes: { name: string; hash: ((key: string) => number) | undefined }[] = [
  { name: "the default hash", hash: undefined },
  { name: "one hash for all keys", hash: () => 7 },
  { name: "three hashes that differ in their last bits only", hash: (key) => (key.length % 3) << 30 },
  { name: "64 hashes", hash: (key) => Math.imul(Number(key.slice(1)) % 64, 0x9e3779b1) },
];

describe("PersistentMap", () => {
  for (const { name, hash } of hashes) {
    it(`behaves like a Map under random edits, and old versions stay as they were: ${name}`, () => {
      const random = randomFrom(name.length);
      const model = new Map<string, number>();
      let map = emptyMap<number>(hash);
      const versions: { map: PersistentMap<number>; model: ReadonlyMap<string, number> }[] = [];
      for (let round = 0; round < 40; round++) {
        versions.push({ map, model: new Map(model) });
        const draft = map.draft();
        const target = round % 2 === 0 ? draft : undefined;
        for (let i = 0; i < 60; i++) {
          const key = `k${Math.floor(random() * 150)}`;
          const value = Math.floor(random() * 3);
          if (random() < 0.6) {
            model.set(key, value);
            if (target) target.set(key, value);
            else map = map.set(key, value);
          } else {
            model.delete(key);
            if (target) target.delete(key);
            else map = map.delete(key);
          }
        }
        if (target) map = target.finish();
        assertHolds(map, model);
        assertDiff(versions[versions.length - 1].map, map);
      }
      for (const version of versions) {
        assertHolds(version.map, version.model);
        assertDiff(version.map, map);
        assertDiff(map, version.map);
      }
    });
  }

  it("finds none of the keys that it does not have", () => {
    const map = mapOf([["a", 1], ["b", 2]]);
    assert.equal(map.get("c"), undefined);
    assert.equal(map.has("c"), false);
    assert.equal(map.has("a"), true);
    assert.equal(emptyMap().get("a"), undefined);
  });

  it("is the very same map after an edit that changes nothing", () => {
    const value = {};
    const map = mapOf([["a", value]]);
    assert.equal(map.set("a", value), map);
    assert.equal(map.delete("b"), map);
    assert.notEqual(map.set("a", {}), map);
    const draft = map.draft();
    draft.set("a", value);
    draft.delete("b");
    assert.equal(draft.finish(), map);
  });

  it("refuses an edit of a finished draft", () => {
    const draft = emptyMap<number>().draft();
    draft.set("a", 1);
    const map = draft.finish();
    assert.throws(() => draft.set("b", 2), /this draft is finished/);
    assert.throws(() => draft.delete("a"), /this draft is finished/);
    assert.throws(() => draft.finish(), /this draft is finished/);
    assertHolds(map, new Map([["a", 1]]));
  });

  it("refuses to compare maps whose keys are placed differently", () => {
    assert.throws(() => diff(emptyMap<number>(), emptyMap<number>(() => 0)), /same hash/);
  });

  it("compares two versions at the cost of what changed", () => {
    const large = mapOf(Array.from({ length: 100_000 }, (_, i) => [`workload-${i}`, i] as const));
    const changed = large.set("workload-77", -1).delete("workload-99999").set("new", 0);
    const best = (run: () => void) => {
      const times = Array.from({ length: 5 }, () => {
        const start = performance.now();
        run();
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    assert.equal([...diff(large, changed)].length, 3);
    const compare = best(() => [...diff(large, changed)]);
    const walk = best(() => [...large.entries()]);
    assert.ok(compare < walk / 50, `comparing took ${compare} ms, walking all of it ${walk} ms`);
  });
});
