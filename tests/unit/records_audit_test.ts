import { beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { classOf } from "../../src/records/size_class.ts";
import {
  assertAgrees,
  foreignMap,
  idIn,
  makeSlow,
  type PoolWorld,
  publishAll,
  records,
  slotsWith,
  startPool,
  tamper,
} from "./_pool_world.ts";
import { randomFrom } from "./_random.ts";

describe("the record pool looks over the outer map", () => {
  let world: PoolWorld;
  beforeEach(async () => {
    world = await startPool(64);
  });

  const nothing = { repairs: [], lost: [] };

  it("and finds nothing wrong in what it did itself", async () => {
    const { pool } = world;
    assert.deepEqual(await pool.audit(), nothing);
    const slots = await publishAll(world, records(10, 3));
    assert.deepEqual(await pool.audit(), nothing);
    await pool.tend();
    assert.deepEqual(await pool.audit(), nothing);
    pool.acquire(200);
    pool.release(slots);
    await pool.tend();
    assert.deepEqual(await pool.audit(), nothing);
    assert.equal(pool.counts.repaired, 0);
  });

  it("and forgets spares that are gone or others, and takes away what is not its own", async () => {
    const { kernel, pool } = world;
    const [used] = await publishAll(world, records(1, 3));
    await pool.growClass(classOf(3), 5); // 2 to 6
    tamper(kernel, 2);
    tamper(kernel, 3, foreignMap(kernel, 3));
    tamper(kernel, 6, idIn(kernel, 0));
    tamper(kernel, 20, foreignMap(kernel, 9));
    assert.deepEqual(await pool.audit(), {
      repairs: [
        "slot 2 of map records has lost its spare inner map",
        "slot 3 of map records has lost its spare inner map",
        "slot 6 of map records has lost its spare inner map",
        "slot 20 of map records held an inner map that is not the agent's",
      ],
      lost: [],
    });
    assert.equal(pool.counts.repaired, 4);
    assertAgrees(world, new Set([used]));
    assert.deepEqual(slotsWith(world, 3), [1, 4, 5]);
    assert.deepEqual(await pool.audit(), nothing);
    assert.deepEqual(await publishAll(world, records(4, 3)), [4, 5, 2, 3]);
  });

  it("and tells which records are lost: they are not its to make anew", async () => {
    const { kernel, pool } = world;
    const slots = await publishAll(world, records(5, 3));
    tamper(kernel, slots[0]);
    tamper(kernel, slots[2], foreignMap(kernel, 3));
    tamper(kernel, slots[4], idIn(kernel, 0));
    assert.deepEqual(await pool.audit(), { repairs: [], lost: [slots[0], slots[2], slots[4]] });
    assert.deepEqual(slots.map((slot) => pool.isUsed(slot)), [true, true, true, true, true]);
  });

  it("and puts the placeholder back", async () => {
    const { kernel, pool } = world;
    const slots = await publishAll(world, records(10, 3));
    await pool.tend();
    pool.release(slots);
    await pool.tend();
    const placeholder = idIn(kernel, 0)!;
    const repairs = ["slot 0 of map records has lost its placeholder"];
    for (const id of [undefined, foreignMap(kernel, 1)]) {
      tamper(kernel, 0, id);
      assert.deepEqual(await pool.audit(), { repairs, lost: [] });
      assert.equal(idIn(kernel, 0), placeholder);
    }
    // Where nobody holds it any more there is another one.
    for (const [slot, id] of world.outer.entries()) if (id === placeholder) tamper(kernel, slot);
    assert.deepEqual(await pool.audit(), { repairs, lost: [] });
    assert.ok(idIn(kernel, 0)! > placeholder);
    assert.deepEqual(await pool.audit(), nothing);
    assertAgrees(world, new Set());
  });

  it("and tries again what the kernel refused", async () => {
    const { kernel, pool } = world;
    await pool.growClass(classOf(3), 3);
    tamper(kernel, 2, foreignMap(kernel, 3));
    tamper(kernel, 9, foreignMap(kernel, 3));
    kernel.failAt = () => true;
    await assert.rejects(pool.audit(), /publish in map records: the kernel has no memory/);
    kernel.failAt = undefined;
    const { repairs, lost } = await pool.audit();
    assert.ok(repairs.length > 0);
    assert.deepEqual(lost, []);
    assertAgrees(world, new Set());
    assert.deepEqual(await publishAll(world, records(9, 3)), [1, 3, 2, 4, 5, 6, 7, 8, 9]);
  });

  it("and takes nothing amiss that changes while it looks", async () => {
    makeSlow(world.kernel, randomFrom(1));
    const { pool } = world;
    for (let round = 0; round < 50; round++) {
      const audit = pool.audit();
      const publish = publishAll(world, records(3, 3));
      const grow = pool.growClass(classOf(9), 3);
      const slots = await publish;
      const other = pool.audit();
      await grow;
      const shrink = pool.shrinkClass(classOf(9), 3);
      pool.release(slots);
      const last = pool.audit();
      await Promise.all([shrink, pool.shrinkClass(classOf(3), 9)]);
      assert.deepEqual(await Promise.all([audit, other, last]), [nothing, nothing, nothing]);
    }
  });
});
