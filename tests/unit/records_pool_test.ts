import { beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { KernelError } from "../../ffi/mod.ts";
import { readRecord, RecordError } from "../../src/records/mod.ts";
import { classOf, maxLength } from "../../src/records/size_class.ts";
import {
  assertAgrees,
  entriesOf,
  foreignMap,
  idIn,
  makeSlow,
  type PoolWorld,
  publishAll,
  records,
  restorePool,
  slotsWith,
  startPool,
  tamper,
  turn,
} from "./_pool_world.ts";
import { randomFrom } from "./_random.ts";

/** Asserts that an action is refused and changes nothing that the pool tells of. */
function assertRefused({ pool, outer }: PoolWorld, action: () => unknown, message: RegExp): void {
  const state = () => [pool.used, pool.allocated, pool.end, pool.classes(), pool.counts, outer.entries()];
  const before = state();
  assert.throws(action, (error) => error instanceof RecordError && message.test(error.message));
  assert.deepEqual(state(), before);
}

describe("the record pool", () => {
  let world: PoolWorld;
  beforeEach(async () => {
    world = await startPool(64);
  });
  const publishCalls = () => world.kernel.shim.counts.get("records.publish") ?? 0;

  it("goes through the worked case of FACTS.md, one slot further on", async () => {
    world = await startPool(64, 5);
    const { pool } = world;
    await pool.growClass(classOf(8), 7);
    assert.deepEqual(await publishAll(world, records(5, 8)), [1, 2, 3, 4, 5]);
    await pool.tend();
    assert.deepEqual(slotsWith(world, 8), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert.deepEqual(await publishAll(world, records(5, 8)), [6, 7, 8, 9, 10]);
    pool.release([5, 1, 7, 3, 4]);
    await pool.tend();
    assert.equal(slotsWith(world, 8).length, 12);
    assert.equal(await pool.shrinkClass(classOf(8), 5), 5);
    assert.deepEqual(slotsWith(world, 8), [1, 2, 3, 6, 8, 9, 10]);
    const [state] = pool.classes();
    assert.deepEqual([state.used, state.allocated, state.highestSlot, state.step], [5, 7, 10, 5]);
    assertAgrees(world, new Set([2, 6, 8, 9, 10]));
  });

  it("serves from spares without publishing, and a burst with one publish", async () => {
    const { pool } = world;
    await pool.growClass(classOf(8), 10);
    const before = publishCalls();
    await publishAll(world, records(10, 8));
    assert.equal(publishCalls(), before);
    assert.deepEqual(pool.counts, {
      fromSpares: 10,
      bursts: 0,
      burstRecords: 0,
      grown: 10,
      shrunk: 0,
      repaired: 0,
    });
    await publishAll(world, records(20, 8));
    assert.equal(publishCalls(), before + 1);
    assert.deepEqual([pool.counts.bursts, pool.counts.burstRecords], [1, 20]);
  });

  it("adds and frees spares of all classes with one publish each", async () => {
    world = await startPool(1024);
    const { pool } = world;
    const slots = await publishAll(world, [3, 4, 5, 8, 16].flatMap((length) => records(20, length)));
    const before = publishCalls();
    await pool.tend();
    assert.equal(publishCalls(), before + 1);
    assert.ok(pool.counts.grown > 40);
    pool.release(slots);
    await pool.tend();
    assert.equal(publishCalls(), before + 2);
    assert.ok(pool.counts.shrunk > 40);
    assertAgrees(world, new Set());
  });

  it("makes spares beside records that are acquired and not published yet", async () => {
    const { pool } = world;
    const places = records(20, 3).map((entries) => ({ slot: pool.acquire(3).slot, entries }));
    await pool.tend();
    await pool.publish(places);
    const { used, allocated } = pool.classes().find(({ capacity }) => capacity === 3)!;
    assert.equal(used, 20);
    assert.ok(used / allocated < 0.7);
    assertAgrees(world, new Set(places.map(({ slot }) => slot)));
  });

  it("keeps no file open, and few at a time", async () => {
    world = await startPool(4096);
    const { kernel, pool } = world;
    let most = 0;
    kernel.onWrite = () => most = Math.max(most, kernel.openFiles);
    await publishAll(world, records(1700, 2));
    await pool.tend();
    assert.ok(most > 100 && most <= 510, `${most} files were open at a time`);
    assert.equal(kernel.openFiles, 1);
    assert.equal(pool.used, 1700);
  });

  it("holds a record of 20,000 entries", async () => {
    const [slot] = await publishAll(world, records(1, 20_000));
    assert.deepEqual(readRecord(world.outer, slot)!.entries.slice(0, 20_000), entriesOf(20_000, 1));
  });

  it("grows a class only as far as the outer map has room", async () => {
    world = await startPool(16);
    const { pool } = world;
    assert.equal(await pool.growClass(0, 100), 15);
    assert.equal(await pool.growClass(0, 1), 0);
    assert.equal(await pool.shrinkClass(0, 100), 15);
    assert.equal(pool.end, 1);
    assertAgrees(world, new Set());
  });

  it("borrows for few records only: those of a burst get the size that is theirs", async () => {
    const { pool } = world;
    await pool.growClass(classOf(5), 30);
    const slots = await publishAll(world, records(25, 4));
    assert.equal(slotsWith(world, 5).filter((slot) => slots.includes(slot)).length, 16);
    assert.equal(slotsWith(world, 4).length, 9);
    await pool.growClass(classOf(9), 1);
    const [next] = await publishAll(world, records(1, 4));
    assert.ok(slotsWith(world, 5).includes(next));
    // Not from a class that is more than twice as large.
    await pool.shrinkClass(classOf(5), 30);
    const [odd] = await publishAll(world, records(1, 4));
    assert.ok(slotsWith(world, 4).includes(odd));
  });

  it("takes other classes' spares where the outer map is full, and gives them back", async () => {
    world = await startPool(16);
    const { pool } = world;
    const three = await publishAll(world, records(3, 1));
    await pool.growClass(classOf(1), 2);
    await pool.growClass(classOf(2), 99);
    assert.equal(pool.allocated, 15);
    const before = pool.classes();
    const places = records(2, 40).map((entries) => ({ slot: pool.acquire(40).slot, entries }));
    assert.equal(pool.end, 16);
    pool.release(places.map(({ slot }) => slot));
    assert.deepEqual(pool.classes(), before);
    assert.deepEqual(await pool.audit(), { repairs: [], lost: [] });

    const long = await publishAll(world, records(12, 40));
    assert.equal(pool.end, 16);
    assertAgrees(world, new Set([...three, ...long]));
    // Now it is full of records.
    const { slot } = pool.acquire(40);
    assert.deepEqual([slot, pool.end], [16, 17]);
    pool.release([slot]);
    assertAgrees(world, new Set([...three, ...long]));
  });

  it("keeps the spares that it meant to take where the kernel refuses the records", async () => {
    world = await startPool(16);
    const { kernel, pool } = world;
    await pool.growClass(classOf(2), 15);
    const places = records(4, 40).map((entries) => ({ slot: pool.acquire(40).slot, entries }));
    let writes = 0;
    kernel.failAt = (map) => map.name === "records" && writes++ === 2;
    await assert.rejects(pool.publish(places));
    pool.release(places.map(({ slot }) => slot));
    assert.deepEqual(pool.classes().map((one) => [one.capacity, one.used, one.allocated]), [[2, 0, 13], [
      40,
      0,
      2,
    ]]);
    assertAgrees(world, new Set());
    await publishAll(world, records(4, 40));
    assert.deepEqual(pool.classes().map((one) => [one.capacity, one.used, one.allocated]), [[2, 0, 11], [
      40,
      4,
      4,
    ]]);
  });

  describe("refuses", () => {
    it("lengths that no record can have", async () => {
      const [slot] = await publishAll(world, records(1, 2));
      for (const length of [0, -1, 1.5, NaN, Infinity, maxLength + 1]) {
        assertRefused(world, () => world.pool.acquire(length), /a record cannot have .* entries/);
        assertRefused(world, () => world.pool.grow(slot, length), /a record cannot have .* entries/);
      }
    });

    it("releasing what is no record, and then releases nothing of what it was given", async () => {
      const { pool } = world;
      const [one, two, three] = await publishAll(world, records(3, 2));
      const acquired = pool.acquire(200).slot;
      pool.release([two]);
      for (
        const slots of [[two], [one, two], [one, one], [one, 999], [one, 0], [one, -1], [
          acquired,
          acquired,
          one,
        ]]
      ) {
        assertRefused(world, () => pool.release(slots), /^cannot release slot/);
      }
      pool.release([acquired, one, three]);
      assertAgrees(world, new Set());
    });

    it("growing what is no record", async () => {
      const { pool } = world;
      const [slot] = await publishAll(world, records(1, 2));
      pool.release([slot]);
      for (const one of [slot, 0, 50, 999, pool.acquire(200).slot]) {
        assertRefused(world, () => pool.grow(one, 3), new RegExp(`^cannot grow slot ${one}`));
      }
    });

    it("writing to what is no record", async () => {
      const { pool } = world;
      const [slot] = await publishAll(world, records(1, 2));
      const entry = entriesOf(1, 9)[0];
      pool.release([slot]);
      for (const one of [slot, 0, 50, pool.acquire(200).slot]) {
        const write = () => pool.write([{ slot: one, writes: [[0, entry]] }]);
        assertRefused(world, write, new RegExp(`^cannot write slot ${one}`));
      }
      await assert.rejects(pool.publish([{ slot, entries: [entry] }]), RecordError);
      assert.deepEqual(readRecord(world.outer, slot)!.entries, entriesOf(2, 1));
    });

    it("writing to a record that somebody took away, or filling a spare that is gone", async () => {
      const { kernel, pool } = world;
      const [slot] = await publishAll(world, records(1, 2));
      tamper(kernel, slot);
      const write = () => pool.write([{ slot, writes: [[0, entriesOf(1, 9)[0]]] }]);
      assertRefused(world, write, /record 1 is not in the kernel: somebody else changed map records/);
      await pool.growClass(classOf(2), 1);
      const spare = pool.acquire(2).slot;
      tamper(kernel, spare);
      await assert.rejects(pool.publish([{ slot: spare, entries: entriesOf(2, 1) }]), RecordError);
      // It is not met again.
      pool.release([spare]);
      assert.equal(pool.counts.repaired, 1);
      const [other] = await publishAll(world, records(1, 2));
      assert.deepEqual(readRecord(world.outer, other)!.entries, entriesOf(2, 1));
    });
  });

  describe("that fails to publish", () => {
    it("knows which spares came, and what each of them has room for", async () => {
      const { kernel, pool } = world;
      // Somebody else's, that has less room.
      tamper(kernel, 5, foreignMap(kernel, 1));
      let writes = 0;
      kernel.failAt = (map) => map.name === "records" && writes++ === 3;
      await assert.rejects(pool.growClass(classOf(8), 6));
      assert.deepEqual(pool.classes().map((one) => [one.capacity, one.allocated]), [[1, 1], [8, 3]]);
      assertAgrees(world, new Set());
      const slots = await publishAll(world, records(6, 8));
      assertAgrees(world, new Set(slots));
    });

    it("knows which of a burst came, and what each of them has room for", async () => {
      const { kernel, pool } = world;
      tamper(kernel, 5, foreignMap(kernel, 1));
      let writes = 0;
      kernel.failAt = (map) => map.name === "records" && writes++ === 3;
      const places = records(6, 8).map((entries) => ({ slot: pool.acquire(8).slot, entries }));
      await assert.rejects(pool.publish(places));
      kernel.failAt = undefined;
      pool.release(places.map(({ slot }) => slot));
      assert.deepEqual(pool.classes().map((one) => [one.capacity, one.used, one.allocated]), [[1, 0, 1], [
        8,
        0,
        3,
      ]]);
      assertAgrees(world, new Set());
    });

    it("lets others have their turn after each record, of a burst or in a spare", async () => {
      world = await startPool(4096);
      const { pool } = world;
      let pauses = 0;
      const pause = () => Promise.resolve(void pauses++);
      const burst = records(1700, 2).map((entries) => ({ slot: pool.acquire(2).slot, entries }));
      await pool.publish(burst, pause);
      assert.equal(pauses, 1700);
      await pool.growClass(classOf(2), 40);
      const before = pool.counts.fromSpares;
      await pool.publish(records(40, 2).map((entries) => ({ slot: pool.acquire(2).slot, entries })), pause);
      assert.equal(pool.counts.fromSpares - before, 40);
      assert.equal(pauses, 1740);
    });

    it("closes what it has made where a pause ends in the middle", async () => {
      world = await startPool(4096);
      const { kernel, pool } = world;
      const places = records(40, 2).map((entries) => ({ slot: pool.acquire(2).slot, entries }));
      const open = kernel.openFiles;
      let pauses = 0;
      const pause = () => ++pauses === 30 ? Promise.reject(new Error("ended")) : undefined;
      await assert.rejects(pool.publish(places, pause), /ended/);
      assert.equal(kernel.openFiles, open);
      assert.equal(slotsWith(world, 2).length, 0);
      pool.release(places.map(({ slot }) => slot));
      assertAgrees(world, new Set());
    });

    it("knows which of many batches came, and does not look slot by slot", async () => {
      world = await startPool(4096);
      const { kernel, pool } = world;
      makeSlow(kernel, randomFrom(1));
      let writes = 0;
      kernel.failAt = (map) => map.name === "records" && writes++ === 500;
      const places = records(1700, 2).map((entries) => ({ slot: pool.acquire(2).slot, entries }));
      const lookUps = () => kernel.shim.counts.get("records.lookup") ?? 0;
      const before = lookUps();
      await assert.rejects(pool.publish(places), KernelError);
      assert.ok(lookUps() - before < 10, `${lookUps() - before} look-ups, each of which may wait`);
      kernel.failAt = undefined;
      assert.equal(pool.used, slotsWith(world, 2).length);
      assert.ok(pool.used > 300 && pool.used < 700, `${pool.used} of the records came`);
      pool.release(places.map(({ slot }) => slot));
      assertAgrees(world, new Set());
    });

    it("hears of a batch that fails while an earlier one is waited for, and ends with the last", async () => {
      world = await startPool(4096);
      const { kernel, pool } = world;
      const { call } = kernel.shim;
      const publish = call.weft_map_publish;
      let batches = 0;
      const slow: Pick<typeof call, "weft_map_publish"> = {
        weft_map_publish: async (...args) => {
          if (++batches === 2) return -12;
          for (let turns = 0; turns < 3; turns++) await turn();
          return publish(...args);
        },
      };
      Object.assign(call, slow);
      const places = records(1700, 2).map((entries) => ({ slot: pool.acquire(2).slot, entries }));
      await assert.rejects(pool.publish(places), /no memory/);
      const came = slotsWith(world, 2).length;
      for (let turns = 0; turns < 10; turns++) await turn();
      assert.equal(slotsWith(world, 2).length, came, "batches went on");
      assert.equal(pool.used, came);
      assert.ok(batches > 2 && came > 300 && came < 700, `${batches} batches, ${came} records`);
      pool.release(places.map(({ slot }) => slot));
      assertAgrees(world, new Set());
    });

    it("knows which spares went", async () => {
      const { kernel, pool } = world;
      await pool.growClass(classOf(8), 6);
      let writes = 0;
      kernel.failAt = (map) => map.name === "records" && writes++ === 2;
      await assert.rejects(pool.shrinkClass(classOf(8), 6));
      assert.deepEqual(slotsWith(world, 8), [1, 2, 3, 4]);
      assertAgrees(world, new Set());
    });
  });

  describe("of a new agent", () => {
    it("finds records and spares, each with the room that it has", async () => {
      const { pool, kernel } = world;
      const slots = await publishAll(world, records(10, 3));
      await pool.tend();
      const next = restorePool(kernel.clone(), slots.slice(0, 4));
      assertAgrees(next, new Set(slots.slice(0, 4)));
      assert.deepEqual(
        next.pool.classes().map((one) => one.allocated),
        pool.classes().map((one) => one.allocated),
      );
      assert.equal(next.pool.acquire(3).slot, slots[4]);
    });

    it("takes an odd inner map for the class that fits in", () => {
      const { kernel } = world;
      tamper(kernel, 7, foreignMap(kernel, 9));
      const { pool } = restorePool(kernel.clone(), []);
      assert.deepEqual(pool.classes().map((one) => [one.capacity, one.allocated]), [[8, 1]]);
      assert.deepEqual(pool.acquire(8), { slot: 7, capacity: 9 });
    });

    it("gives no two records one inner map, whoever put it into several slots, and takes them away", async () => {
      const { kernel, pool } = world;
      const slots = await publishAll(world, records(10, 1));
      pool.release(slots.slice(2));
      await pool.shrinkClass(0, 9);
      const shared = foreignMap(kernel, 1);
      tamper(kernel, 0); // The placeholder is in 8 slots still.
      tamper(kernel, 30, shared);
      tamper(kernel, 31, shared);
      const next = restorePool(kernel.clone(), slots.slice(0, 2));
      assert.equal(next.pool.allocated, 2);
      const more = await publishAll(next, records(8, 1));
      assert.equal(new Set(more.map((slot) => idIn(next.kernel, slot))).size, 8);
      const owned = new Set([...slots.slice(0, 2), ...more]);
      for (let looks = 0; looks < 2; looks++) await next.pool.audit();
      assert.deepEqual(await next.pool.audit(), { repairs: [], lost: [] });
      assertAgrees(next, owned);
    });
  });
});
