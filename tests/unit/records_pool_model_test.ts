import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { classOf } from "../../src/records/size_class.ts";
import { createPoolModel, type PoolModel, restoreModel, startPool } from "./_pool_world.ts";
import { randomFrom } from "./_random.ts";

type Random = () => number;

const below = (random: Random, limit: number) => Math.floor(random() * limit);
const oneOf = <T>(random: Random, values: readonly T[]): T => values[below(random, values.length)];

/** Mostly few classes, so that spares are found; now and then a long one. */
function randomLength(random: Random): number {
  return random() < 0.8 ? 1 + below(random, 5) : 1 + below(random, 60);
}

/** Something that is done to the pool, whatever is under way already. */
async function step(random: Random, model: PoolModel): Promise<void> {
  const slots = [...model.named.keys()];
  const sizeClass = classOf(randomLength(random));
  const count = below(random, 12);
  const choice = below(random, slots.length > 0 ? 13 : 7);
  switch (choice) {
    case 0:
    case 1:
      await model.publish(Array.from({ length: 1 + below(random, 5) }, () => randomLength(random)));
      break;
    case 2:
      model.inBackground((pool) => pool.growClass(sizeClass, count));
      break;
    case 3:
      model.inBackground((pool) => pool.shrinkClass(sizeClass, count));
      break;
    case 4:
      model.inBackground((pool) => pool.tend());
      break;
    case 5:
      await model.settle();
      break;
    case 6:
      model.audit();
      break;
    case 7:
    case 8:
      await model.grow(oneOf(random, slots), randomLength(random));
      break;
    case 9:
      model.write(oneOf(random, slots));
      break;
    case 10:
      model.forget(oneOf(random, slots));
      break;
    case 11:
      for (const slot of slots) if (random() < 0.4) model.forget(slot);
      break;
    case 12:
      model.releaseForgotten();
      break;
  }
}

/** Runs with some seeds, and names the one of a run that fails. */
async function seeds(count: number, run: (random: Random) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= count; seed++) {
    try {
      await run(randomFrom(seed));
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
}

async function start(random: Random): Promise<PoolModel> {
  const slots = oneOf(random, [24, 64, 200]);
  return createPoolModel(random, await startPool(slots, oneOf(random, [0, 0, 1, 5]), random));
}

async function steps(random: Random, model: PoolModel, count: number): Promise<void> {
  for (; count > 0; count--) {
    await step(random, model);
    model.assertSound();
  }
}

describe("the record pool, step by step", () => {
  it("keeps each record as it is, and knows what the kernel holds", async () => {
    const done = { fromSpares: 0, bursts: 0, grown: 0, shrunk: 0 };
    await seeds(70, async (random) => {
      const model = await start(random);
      await steps(random, model, 60);
      await model.settle();
      model.assertSound();
      const { counts } = model.world.pool;
      for (const name of Object.keys(done) as (keyof typeof done)[]) done[name] += counts[name];
    });
    for (const [name, count] of Object.entries(done)) assert.ok(count > 300, `${name}: only ${count}`);
  });

  it("does so though the kernel refuses some writes", async () => {
    let refused = 0;
    await seeds(70, async (random) => {
      const model = await start(random);
      model.world.kernel.failAt = () => {
        const refuse = random() < 0.03;
        if (refuse) refused++;
        return refuse;
      };
      await steps(random, model, 60);
      await model.settle();
      model.assertSound();
    });
    assert.ok(refused > 150, `only ${refused}`);
  });

  it("is taken over at whichever write its agent was killed", async () => {
    let kills = 0;
    await seeds(70, async (random) => {
      let model = await start(random);
      for (let agents = 0; agents < 5; agents++) {
        await steps(random, model, 12);
        let left = model.kill();
        let writes = 1 + below(random, 30);
        model.afterWrite = () => {
          if (--writes !== 0) return;
          left = model.kill();
          kills++;
        };
        for (let more = 0; more < 8 && writes > 0; more++) await step(random, model);
        await model.settle();
        model.assertSound();
        model = restoreModel(random, left);
        model.assertSound();
      }
      await steps(random, model, 12);
      await model.settle();
      model.assertSound();
    });
    assert.ok(kills > 200, `only ${kills}`);
  });

  it("is between its watermarks once it was tended, as far as there is room", async () => {
    let tended = 0;
    await seeds(40, async (random) => {
      const model = await start(random);
      for (let round = 0; round < 6; round++) {
        await steps(random, model, 12);
        await model.settle();
        model.releaseForgotten();
        const { pool, outer } = model.world;
        const needed = pool.endWithSpares();
        if (needed > outer.info().maxEntries) continue;
        await pool.tend();
        model.assertSound();
        tended++;
        assert.ok(pool.end <= needed, `${pool.end} slots are needed, ${needed} were foretold`);
        for (const { capacity, used, allocated } of pool.classes()) {
          assert.ok(
            used === 0 || used / allocated < 0.7,
            `class ${capacity} has ${used} of ${allocated} in use`,
          );
        }
        const { grown, shrunk } = pool.counts;
        await pool.tend();
        assert.deepEqual([pool.counts.grown, pool.counts.shrunk], [grown, shrunk], "tended twice");
      }
    });
    assert.ok(tended > 80, `only ${tended}`);
  });
});
