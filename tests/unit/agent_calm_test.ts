import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { workload } from "../../ffi/mod.ts";
import { calmDown } from "../../src/agent/calm.ts";

type Failures = workload.ConnectFailures;

const none = { inARow: 0, generation: 0 };
const some = { inARow: 1, generation: 0 };

/** The map, and the order in which it is asked. */
function failuresMap(values: Failures[]) {
  const calls: string[] = [];
  return {
    values,
    calls,
    lookup: (index: number) => values[index],
    update: (index: number, value: Failures) => {
      calls.push(`update ${index} ${value.inARow}`);
      values[index] = value;
    },
    *entries(): Generator<[number, Failures]> {
      calls.push("entries");
      yield* values.entries();
    },
  };
}

const isInUse = (index: number, generation: number) => generation === index * 10;

describe("connects pass by the failures again", () => {
  const cases: { what: string; values: Failures[]; some: boolean }[] = [
    { what: "none is left", values: [some, none, none], some: false },
    { what: "one is left", values: [some, none, { inARow: 2, generation: 20 }], some: true },
    { what: "one is left of an endpoint before", values: [some, { inARow: 3, generation: 9 }], some: false },
    { what: "there was none", values: [none, { inARow: 3, generation: 10 }], some: false },
  ];
  for (const { what, values, some } of cases) {
    it(`${what}: ${some ? "not yet" : "yes"}`, () => {
      const map = failuresMap(values);
      calmDown(map, isInUse);
      assert.equal(map.values[0].inARow > 0, some);
    });
  }

  it("clears the word before it looks: what fails meanwhile sets it again", () => {
    const map = failuresMap([some, none]);
    calmDown(map, isInUse);
    assert.deepEqual(map.calls, ["update 0 0", "entries"]);
  });

  it("does not look while there is nothing", () => {
    const map = failuresMap([none, none]);
    calmDown(map, isInUse);
    assert.deepEqual(map.calls, []);
  });
});
