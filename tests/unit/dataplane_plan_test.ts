import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { KernelStateUnknown } from "../../src/dataplane/mod.ts";
import { byteString, type FakeKernel, u32Key } from "./_fake_kernel.ts";
import { randomFrom } from "./_random.ts";
import { changedWorld, emptyWorld, type World } from "./_random_services.ts";
import { type Left, startWatched, takeOver, type WatchedDatapath } from "./_watched_datapath.ts";

type Random = () => number;

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

/** A watched data path after some flushes. */
async function someSteps(random: Random, steps: number): Promise<WatchedDatapath> {
  const watched = await startWatched(random);
  for (let step = 0; step < steps; step++) await watched.flush(changedWorld(random, watched.world));
  await watched.assertSettled();
  return watched;
}

/** Whether a write frees a record: the placeholder takes its place. */
function freesRecord({ map }: FakeKernel, value: Uint8Array | undefined): boolean {
  const placeholder = map("records").values.get(u32Key(0))!;
  return value !== undefined && value.length === 4 && byteString(value) === byteString(placeholder);
}

/**
 * Flushes while the kernel refuses some writes, counted from 0; records may be freed all the time.
 *
 * @returns what the flush failed with: it must if a write was refused, and only then
 */
async function flushRefused(
  watched: WatchedDatapath,
  to: World,
  refuses: (write: number) => boolean,
): Promise<unknown> {
  const { kernel } = watched;
  let writes = 0;
  let refused = false;
  kernel.failAt = (map, value) => {
    if (freesRecord(kernel, value) || map.name === "endpoint_hits" || map.name === "refusals") return false;
    const refuse = refuses(writes++);
    refused ||= refuse;
    return refuse;
  };
  try {
    await watched.flush(to);
    assert.ok(!refused, "a flush succeeded though the kernel refused a write");
  } catch (error) {
    if (!refused || !/the kernel has no memory/.test((error as Error).message)) throw error;
    return error;
  } finally {
    kernel.failAt = undefined;
  }
}

/** Flushes, and then the kernel refuses to add and to free spares. @returns whether any were to be */
async function flushWithoutTending(watched: WatchedDatapath, to: World): Promise<boolean> {
  const { kernel, datapath } = watched;
  await datapath.settle().catch(() => {});
  kernel.holdGracePeriods = true;
  await watched.flush(to);
  kernel.failAt = (map) => map.name === "records";
  kernel.holdGracePeriods = false;
  await kernel.endGracePeriods();
  const error = await datapath.settle().then(() => undefined, (error: Error) => error);
  kernel.failAt = undefined;
  if (error) assert.match(error.message, /publish .*in map records: the kernel has no memory/);
  assert.equal(datapath.backgroundError, error?.message);
  return error !== undefined;
}

/** Flushes, and keeps what an agent would have left that was killed after a write; of all writes, this share. */
async function killed(random: Random, watched: WatchedDatapath, to: World, share: number): Promise<Left[]> {
  const left: Left[] = [];
  watched.afterWrite = () => {
    if (random() < share) left.push(watched.kill());
  };
  await watched.flush(to);
  await watched.assertSettled();
  watched.afterWrite = undefined;
  return left;
}

describe("a plan, write by write", () => {
  it("leads every connection to the old or the new answer, and the kernel to what was wanted", async () => {
    await seeds(60, async (random) => {
      const watched = await startWatched(random);
      for (let step = 0; step < 12; step++) {
        // What a flush leaves behind may wait for its grace period while others follow.
        watched.kernel.holdGracePeriods = random() < 0.7;
        if (!watched.kernel.holdGracePeriods) await watched.kernel.endGracePeriods();
        await watched.flush(changedWorld(random, watched.world));
        if (random() < 0.3) await watched.assertSettled();
      }
      await watched.assertSettled();
      await watched.flush(emptyWorld);
      await watched.assertSettled();
    });
  });

  it("is undone at whichever write it fails", async () => {
    await seeds(4, async (random) => {
      const watched = await someSteps(random, 2);
      const to = changedWorld(random, watched.world);
      for (let failing = 0; await flushRefused(watched, to, (write) => write === failing); failing++) {
        await watched.assertSettled();
      }
      await watched.assertSettled();
    });
  });

  it("is undone and later carried out, whatever it was and whatever follows", async () => {
    await seeds(40, async (random) => {
      const watched = await someSteps(random, 3);
      for (let step = 0; step < 6; step++) {
        const failing = Math.floor(random() ** 2 * 80);
        await flushRefused(watched, changedWorld(random, watched.world), (write) => write === failing);
        await watched.assertSettled();
      }
    });
  });

  it("is read back where it can be neither finished nor undone", async () => {
    let unknown = 0;
    await seeds(40, async (random) => {
      const watched = await someSteps(random, 3);
      const first = Math.floor(random() * 40);
      // What is owed from before then is found like everything else.
      if (random() < 0.5) await flushWithoutTending(watched, changedWorld(random, watched.world));
      const to = changedWorld(random, watched.world);
      const error = await flushRefused(watched, to, (write) => write >= first);
      if (error instanceof KernelStateUnknown) unknown++;
      await watched.flush(random() < 0.5 ? to : changedWorld(random, to));
      await watched.assertSettled();
    });
    assert.ok(unknown > 5, `only ${unknown} flushes could not be undone`);
  });

  it("is taken up by the next agent at whichever write the last one was killed", async () => {
    await seeds(3, async (random) => {
      const watched = await someSteps(random, 2);
      const before = watched.world;
      const after = changedWorld(random, before);
      for (const left of await killed(random, watched, after, 1)) {
        const next = await takeOver(random, left, random() < 0.5 ? before : after);
        await next.assertSettled();
      }
    });
  });

  it("is taken up by the next agent, whatever it was and whatever follows", async () => {
    await seeds(60, async (random) => {
      const watched = await someSteps(random, 4);
      const after = changedWorld(random, watched.world);
      for (const left of await killed(random, watched, after, 0.05)) {
        const next = await takeOver(random, left, changedWorld(random, after));
        await next.assertSettled();
        await next.flush(changedWorld(random, next.world));
        await next.assertSettled();
      }
    });
  });

  it("is taken up though several agents were killed one after the other", async () => {
    await seeds(60, async (random) => {
      const watched = await someSteps(random, 4);
      let wanted = changedWorld(random, watched.world);
      let left = await killed(random, watched, wanted, 0.2);
      for (let kills = 0; kills < 5 && left.length > 0; kills++) {
        const last = left[Math.floor(random() * left.length)];
        if (random() < 0.7) wanted = changedWorld(random, wanted);
        left = [];
        const next = await takeOver(random, last, wanted, (taking) => {
          if (random() < 0.2) left.push(taking.kill());
        });
        await next.assertSettled();
      }
    });
  });
});

describe("spares that the kernel refused", () => {
  it("are added or freed after a later flush", async () => {
    let refused = 0;
    await seeds(20, async (random) => {
      const watched = await someSteps(random, 3);
      if (await flushWithoutTending(watched, changedWorld(random, watched.world))) refused++;
      await watched.flush(changedWorld(random, watched.world));
      await watched.assertSettled();
      assert.equal(watched.datapath.backgroundError, undefined);
    });
    assert.ok(refused > 3, `only ${refused} flushes changed the spares`);
  });
});
