import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { closeFd, createMap, openMapById } from "../../ffi/mod.ts";
import { type Acquired, readSlots, RecordError } from "../../src/records/mod.ts";
import { finish, run } from "../../src/host/mod.ts";
import { describeKernel, repetitions } from "../kit/mod.ts";
import { assertAgrees, assertRecord, entriesOf, type KernelPool, openKernelPool } from "./_pool.ts";

/** Acquires and publishes records of these lengths. */
async function publishAll({ pool }: KernelPool, lengths: readonly number[], seed = 0): Promise<Acquired[]> {
  const places = lengths.map((length) => pool.acquire(length));
  await pool.publish(
    places.map(({ slot }, i) => ({ slot, entries: entriesOf(lengths[i], seed + i) })),
  );
  return places;
}

for (const threads of [0, 64]) {
  const path = threads === 0 ? "in one batch" : "by threads that overlap their waits";
  /** The calls that publish so many slots at once. */
  const calls = (slots: number) => threads === 0 ? 1 : slots;

  describeKernel(`records published ${path}`, () => {
    it("a burst: all that find no spare are published at once, and hold what they should", async () => {
      using kernel = await openKernelPool(threads);
      const { pool, callsOf, slots } = kernel;
      const lengths = Array.from({ length: 300 }, (_, i) => 1 + i * 7 % 60);
      let places: Acquired[] = [];
      const published = await callsOf("records.publish", async () => {
        places = await publishAll(kernel, lengths);
      });
      assert.equal(published, calls(300));
      assert.deepEqual(slots(), Array.from({ length: 300 }, (_, i) => i + 1));
      places.forEach(({ slot, capacity }, i) => {
        assert.ok(capacity >= lengths[i]);
        assertRecord(kernel, slot, entriesOf(lengths[i], i));
      });
      const { bursts, burstRecords, fromSpares } = pool.counts;
      assert.deepEqual({ bursts, burstRecords, fromSpares }, { bursts: 1, burstRecords: 300, fromSpares: 0 });
      assertAgrees(kernel);
    });

    it("what finds spares is filled and nothing is published, created or waited for", async () => {
      using kernel = await openKernelPool(threads);
      const { pool, callsOf } = kernel;
      await publishAll(kernel, Array<number>(40).fill(5));
      assert.ok(await callsOf("records.publish", () => pool.tend()) <= calls(64));
      const spares = pool.allocated - pool.used;
      assert.ok(40 / pool.allocated < 0.7 && spares > 10);
      assertAgrees(kernel);
      let places: Acquired[] = [];
      const published = await callsOf("records.publish", async () => {
        const created = await callsOf("record.create", async () => {
          places = await publishAll(kernel, [5, 4, 5, 5], 500);
        });
        assert.equal(created, 0);
      });
      assert.equal(published, 0);
      assert.deepEqual([pool.counts.fromSpares, pool.counts.bursts], [4, 1]);
      places.forEach(({ slot }, i) => assertRecord(kernel, slot, entriesOf([5, 4, 5, 5][i], 500 + i)));
      assertAgrees(kernel);
    });

    it("a record grows into another place; what it leaves is used again once it is released", async () => {
      using kernel = await openKernelPool(threads);
      const { pool } = kernel;
      const [{ slot: old }] = await publishAll(kernel, [3]);
      const { slot, capacity } = pool.grow(old, 20);
      assert.ok(slot !== old && capacity >= 20);
      await pool.publish([{ slot, entries: entriesOf(20, 9) }]);
      assertRecord(kernel, old, entriesOf(3, 0));
      assertRecord(kernel, slot, entriesOf(20, 9));
      const next = pool.acquire(3);
      assert.notEqual(next.slot, old); // it is not released yet
      pool.release([next.slot]);
      pool.release([old]);
      assert.throws(() => pool.release([old]), RecordError);
      assert.throws(() => pool.grow(old, 4), RecordError);
      assert.equal((await publishAll(kernel, [3], 77))[0].slot, old);
      assertRecord(kernel, old, entriesOf(3, 77));
      assertAgrees(kernel);
    });

    it("single entries are edited where they are", async () => {
      using kernel = await openKernelPool(threads);
      const { pool, callsOf } = kernel;
      const [{ slot }] = await publishAll(kernel, [6]);
      const edit = { threshold: 4, endpoint: 4711 };
      assert.equal(await callsOf("records.publish", () => pool.write([{ slot, writes: [[4, edit]] }])), 0);
      assertRecord(kernel, slot, entriesOf(6, 0).with(4, edit));
    });

    it("spares are added in the lowest free slots and freed from the top down, in one go each", async () => {
      using kernel = await openKernelPool(threads);
      const { pool, callsOf, slots } = kernel;
      await publishAll(kernel, Array<number>(6).fill(2));
      const ofTwo = 1;
      pool.release([2, 4]);
      assert.equal(await callsOf("records.publish", () => pool.growClass(ofTwo, 5)), calls(5));
      assert.deepEqual(slots(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
      // The placeholder is opened, and put into all of them.
      assert.equal(await callsOf("records.publish", () => pool.shrinkClass(ofTwo, 6)), calls(6));
      assert.deepEqual(slots(), [1, 2, 3, 5, 6]);
      assert.equal(pool.allocated, 5);
      assert.equal(await pool.shrinkClass(ofTwo, 99), 1); // slot 2; no used one
      assert.deepEqual(slots(), [1, 3, 5, 6]);
      for (const slot of [1, 3, 5, 6]) assertRecord(kernel, slot, entriesOf(2, slot - 1));
      assert.equal(await pool.growClass(4, 3), 3);
      assert.deepEqual(slots(), [1, 2, 3, 4, 5, 6, 7]);
      assertAgrees(kernel);
    });

    it("tending after most was released frees in one go, and stops before growing would begin", async () => {
      using kernel = await openKernelPool(threads);
      const { pool, callsOf } = kernel;
      const places = await publishAll(kernel, Array<number>(200).fill(7));
      await pool.tend();
      pool.release(places.slice(20).map(({ slot }) => slot));
      const before = pool.allocated;
      const published = await callsOf("records.publish", () => pool.tend());
      assert.ok(pool.allocated < 60, `${pool.allocated} slots are left for 20 records`);
      assert.equal(published, calls(before - pool.allocated));
      assert.ok(pool.classes()[0].used / pool.classes()[0].allocated < 0.7);
      assertAgrees(kernel);
      // Nothing more to do: the pool has come to rest.
      assert.equal(await callsOf("records.publish", () => pool.tend()), 0);
      places.slice(0, 20).forEach(({ slot }, i) => assertRecord(kernel, slot, entriesOf(7, i)));
    });

    it("growing ends where the outer map does, and what there is no room for is not half there", async () => {
      using kernel = await openKernelPool(threads, { size: 32 });
      const { pool, slots } = kernel;
      assert.equal(await pool.growClass(0, 100), 31);
      assert.deepEqual(slots(), Array.from({ length: 31 }, (_, i) => i + 1));
      assertAgrees(kernel);
      const places = Array.from({ length: 33 }, () => pool.acquire(1));
      await assert.rejects(pool.publish(places.map(({ slot }, i) => ({ slot, entries: entriesOf(1, i) }))));
      pool.release(places.map(({ slot }) => slot));
      assert.deepEqual([pool.used, pool.allocated], [0, 31]);
      assertAgrees(kernel);
    });

    it("another pool finds in the kernel alone what is allocated", async () => {
      using kernel = await openKernelPool(threads);
      const { pool, outer, restored, slots } = kernel;
      const places = await publishAll(kernel, [1, 2, 3, 5, 8, 13, 21, 34]);
      await pool.tend();
      pool.release([places[2].slot]);
      await pool.shrinkClass(0, 1);
      const used = new Set(places.filter((_, i) => i !== 2).map(({ slot }) => slot));
      const found = finish(readSlots(outer, new Map(outer.entries()), new Map()));
      const other = restored({ ...found, used });
      assert.deepEqual(
        other.classes().map(({ step: _, ...rest }) => rest),
        pool.classes().map(({ step: _, ...rest }) => rest),
      );
      assert.deepEqual(await other.audit(), { repairs: [], lost: [] });
      // The lowest spare of its class is what it uses next, as the first would have.
      assert.equal(other.acquire(3).slot, pool.acquire(3).slot);
      assert.deepEqual([...found.allocated.keys()].toSorted((a, b) => a - b), slots());
    });
  });

  describeKernel(`an audit of records published ${path}`, () => {
    it("finds nothing wrong where nobody changed anything", async () => {
      using kernel = await openKernelPool(threads);
      const { pool } = kernel;
      const places = await publishAll(kernel, [1, 2, 3, 4]);
      assert.deepEqual(await pool.audit(), { repairs: [], lost: [] });
      await pool.tend();
      pool.release([places[3].slot]);
      await pool.shrinkClass(3, 1);
      assert.deepEqual(await pool.audit(), { repairs: [], lost: [] });
      assert.equal(pool.counts.repaired, 0);
    });

    it("names used slots whose record is gone, is another one, or is the placeholder", async () => {
      using kernel = await openKernelPool(threads);
      const { pool, outer, shim } = kernel;
      const places = await publishAll(kernel, [2, 2, 2, 2]);
      const [gone, replaced, swapped, emptied] = places.map(({ slot }) => slot);
      remove(kernel, gone);
      const foreign = foreignRecord(kernel);
      await outer.publish([{ slot: replaced, fd: foreign }], 1);
      await copySlot(kernel, emptied, swapped);
      await copySlot(kernel, 0, emptied);
      closeFd(shim, foreign);
      const { lost } = await pool.audit();
      assert.deepEqual(lost.toSorted((a, b) => a - b), [gone, replaced, swapped, emptied]);
    });

    it("forgets spares that are gone, takes away what appeared, and puts the placeholder back", async () => {
      using kernel = await openKernelPool(threads);
      const { pool, outer, shim, slots } = kernel;
      await pool.growClass(2, 4);
      assert.deepEqual(slots(), [1, 2, 3, 4]);
      const foreign = foreignRecord(kernel);
      remove(kernel, 2);
      await outer.publish([{ slot: 3, fd: foreign }, { slot: 9, fd: foreign }], 1);
      remove(kernel, 0);
      closeFd(shim, foreign);
      const { repairs, lost } = await pool.audit();
      assert.deepEqual(lost, []);
      assert.equal(repairs.length, 4);
      assert.match(repairs.join("\n"), /slot 2 .*lost its spare/);
      assert.match(repairs.join("\n"), /slot 3 .*lost its spare/);
      assert.match(repairs.join("\n"), /slot 9 .*not the agent's/);
      assert.match(repairs.join("\n"), /slot 0 .*placeholder/);
      assert.equal(pool.counts.repaired, 4);
      assert.deepEqual(slots(), [1, 4]);
      assertAgrees(kernel);
      assert.deepEqual(await pool.audit(), { repairs: [], lost: [] });
      assert.deepEqual((await publishAll(kernel, [3, 3, 3])).map(({ slot }) => slot), [1, 4, 2]);
    });
  });
}

/** An inner map that is not the pool's, full of zeros. */
function foreignRecord({ shim }: KernelPool): number {
  const innerMapFlag = 1 << 12;
  return createMap(shim, {
    type: 2,
    name: "foreign",
    keySize: 4,
    valueSize: 8,
    maxEntries: 3,
    flags: innerMapFlag,
  });
}

/** Puts the inner map of one slot into another as well. */
async function copySlot({ outer, shim }: KernelPool, from: number, to: number): Promise<void> {
  const fd = openMapById(shim, outer.lookup(from)!)!;
  await outer.publish([{ slot: to, fd }], 1);
  closeFd(shim, fd);
}

function remove({ outer, shim }: KernelPool, slot: number): void {
  assert.equal(shim.call.weft_map_delete(outer.fd, new Uint32Array([slot])), 0);
}

describeKernel("100,000 records under an open-files limit of 1,024", () => {
  it("are published, edited, released and freed with a few hundred files open", async () => {
    const count = repetitions(100_000, 5_000);
    const child = new URL("_many_records.ts", import.meta.url).pathname;
    const said = await run([
      ...["sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh", Deno.execPath()],
      ...["run", "--quiet", "--cached-only", "-A", child, `${count}`],
    ]);
    const { limits, mostOpen, published, allocatedAtEnd } = JSON.parse(said.trim().split("\n").at(-1)!);
    assert.deepEqual(limits, ["1024", "1024"]);
    assert.equal(published, count);
    assert.ok(mostOpen > 500, `the files were not counted while a batch was open: ${mostOpen}`);
    assert.ok(mostOpen < 700, `${mostOpen} files were open`);
    assert.ok(allocatedAtEnd < count / 50, `${allocatedAtEnd} slots are left for nothing`);
  });
});
