import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { RecordError } from "../../src/records/mod.ts";
import { classServedBy } from "../../src/records/size_class.ts";
import { createSlotTable, type SlotState, type SlotTable } from "../../src/records/slot_table.ts";
import { correction } from "../../src/records/watermarks.ts";
import { randomFrom } from "./_random.ts";

type Random = () => number;

/** A slot that is not free. */
interface Taken {
  state: SlotState;
  id: number;
  capacity: number;
}

function numbers(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

/** The same in the plainest way. */
class Model {
  readonly slots = new Map<number, Taken>();
  constructor(readonly first: number) {}

  those(state: SlotState, sizeClass?: number): number[] {
    return numbers(
      [...this.slots].filter(([, one]) =>
        one.state === state && (sizeClass === undefined || classServedBy(one.capacity) === sizeClass)
      ).map(([slot]) => slot),
    );
  }

  lowestFree(count: number, limit: number): number[] {
    const free: number[] = [];
    for (let slot = this.first; slot < limit && free.length < count; slot++) {
      if (!this.slots.has(slot)) free.push(slot);
    }
    return free;
  }

  get end(): number {
    return Math.max(this.first, ...[...this.slots.keys()].map((slot) => slot + 1));
  }
}

function assertSame(table: SlotTable, model: Model): void {
  for (let slot = 0; slot < model.end + 3; slot++) {
    assert.equal(table.state(slot), model.slots.get(slot)?.state ?? "free", `slot ${slot}`);
  }
  const allocated = [...model.slots].filter(([, { state }]) => state === "spare" || state === "used")
    .sort(([a], [b]) => a - b);
  assert.deepEqual(
    [...table.allocated()],
    allocated.map(([slot, { state, id, capacity }]) => [slot, state, { id, capacity }]),
  );
  const highest = new Map<number, number>();
  for (const [slot, { capacity }] of allocated) highest.set(classServedBy(capacity), slot);
  assert.deepEqual(new Map([...table.highest()].sort()), new Map([...highest].sort()));
  for (let sizeClass = 0; sizeClass < 12; sizeClass++) {
    const used = model.those("used", sizeClass).length;
    assert.deepEqual(table.count(sizeClass), {
      used,
      allocated: used + model.those("spare", sizeClass).length,
    });
  }
  assert.equal(table.used, model.those("used").length);
  assert.equal(table.end, model.end);
}

const oneOf = <T>(random: Random, values: readonly T[]): T => values[Math.floor(random() * values.length)];

/** One operation on both; those that are out of place must change nothing. */
function step(random: Random, table: SlotTable, model: Model, id: number): void {
  const { slots } = model;
  const anySlot = () => model.first + Math.floor(random() * (model.end - model.first + 3));
  const capacity = 1 + Math.floor(random() * 12);
  const sizeClass = classServedBy(capacity);
  const count = Math.floor(random() * 5);
  const set = (slot: number, state: SlotState) => slots.set(slot, { ...slots.get(slot)!, state });
  const reserve = (slot: number) => slots.set(slot, { state: "reserved", id: 0, capacity: 0 });
  const inPlace = (slot: number, state: SlotState, action: () => void, then: () => void) => {
    if ((slots.get(slot)?.state ?? "free") === state) {
      action();
      then();
    } else assert.throws(action, RecordError);
  };
  switch (Math.floor(random() * 8)) {
    case 0: {
      const limit = random() < 0.5 ? Infinity : model.first + Math.floor(random() * 30);
      const expected = model.lowestFree(count, Math.min(limit, 1000));
      assert.deepEqual(table.takeFree(count, limit), expected);
      expected.forEach(reserve);
      break;
    }
    case 1: {
      const slot = anySlot();
      if (slots.get(slot)?.state === "spare") {
        table.reserve(slot);
        reserve(slot);
      } else inPlace(slot, "free", () => table.reserve(slot), () => reserve(slot));
      break;
    }
    case 2: {
      const slot = anySlot();
      inPlace(slot, "reserved", () => table.giveFree([slot]), () => slots.delete(slot));
      break;
    }
    case 3:
    case 4: {
      const reserved = model.those("reserved");
      const slot = reserved.length > 0 && random() < 0.9 ? oneOf(random, reserved) : anySlot();
      const state = oneOf(random, ["spare", "used"] as const);
      inPlace(
        slot,
        "reserved",
        () => table.put(slot, { id, capacity }, state),
        () => slots.set(slot, { id, capacity, state }),
      );
      break;
    }
    case 5: {
      const lowest = model.those("spare", sizeClass).at(0);
      assert.equal(table.takeSpare(sizeClass), lowest);
      if (lowest !== undefined) set(lowest, "used");
      break;
    }
    case 6: {
      const slot = anySlot();
      inPlace(slot, "used", () => table.giveSpare(slot), () => set(slot, "spare"));
      break;
    }
    case 7: {
      const top = model.those("spare", sizeClass).reverse().slice(0, count);
      assert.deepEqual(table.takeTop(sizeClass, count), top);
      top.forEach(reserve);
      if (random() < 0.5) {
        table.giveFree(top);
        for (const slot of top) slots.delete(slot);
      }
      break;
    }
  }
}

describe("a slot table", () => {
  it("goes through the worked case of FACTS.md", () => {
    const marks = { growAt: 0.7, shrinkAt: 0.3, step: 5 };
    const capacity = 8, sizeClass = classServedBy(capacity);
    const slots = 16;
    const table = createSlotTable(0);
    let id = 1;
    const grow = (count: number, state: "spare" | "used") => {
      const taken = table.takeFree(count, slots);
      for (const slot of taken) table.put(slot, { id: id++, capacity }, state);
      return taken;
    };
    const those = (state: SlotState) =>
      Array.from({ length: slots }, (_, slot) => slot).filter((slot) => table.state(slot) === state);
    const correct = () => correction(marks, table.count(sizeClass), 5, false);

    assert.deepEqual(grow(7, "spare"), [0, 1, 2, 3, 4, 5, 6]);
    for (let slot = 0; slot < 5; slot++) assert.equal(table.takeSpare(sizeClass), slot);
    assert.equal(correct(), 5);
    assert.deepEqual(grow(correct(), "spare"), [7, 8, 9, 10, 11]);
    for (let slot = 5; slot < 10; slot++) assert.equal(table.takeSpare(sizeClass), slot);
    for (const slot of [4, 0, 6, 2, 3]) table.giveSpare(slot);
    assert.deepEqual(those("used"), [1, 5, 7, 8, 9]);
    assert.equal(correct(), 0);

    const freed = table.takeTop(sizeClass, 5);
    assert.deepEqual(freed, [11, 10, 6, 4, 3]);
    table.giveFree(freed);
    assert.deepEqual(those("spare"), [0, 2]);
    assert.deepEqual([...table.allocated()].map(([slot]) => slot), [0, 1, 2, 5, 7, 8, 9]);
    assert.deepEqual(table.count(sizeClass), { used: 5, allocated: 7 });
    assert.equal(table.highest().get(sizeClass), 9);
  });

  it("does what a plain list would do, whatever is asked of it", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomFrom(seed);
      const first = Math.floor(random() * 2);
      const table = createSlotTable(first);
      const model = new Model(first);
      for (let count = 1; count <= 150; count++) {
        try {
          step(random, table, model, count);
          assertSame(table, model);
        } catch (error) {
          throw new Error(`seed ${seed}, step ${count}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
  });

  it("has room for any number of slots", () => {
    const table = createSlotTable(1);
    for (let next = 1; next <= 5000; next++) {
      const [slot] = table.takeFree(1);
      assert.equal(slot, next);
      table.put(slot, { id: slot, capacity: slot }, slot % 2 ? "used" : "spare");
    }
    assert.equal(table.end, 5001);
    for (const slot of [1, 255, 256, 257, 511, 512, 4095, 5000]) {
      assert.deepEqual(table.content(slot), { id: slot, capacity: slot });
      assert.equal(table.state(slot), slot % 2 ? "used" : "spare");
    }
    assert.equal(table.used, 2500);
  });
});
