import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { finish, inSlices, mapInSteps, type Steps, stepSize } from "../../src/host/mod.ts";

/** Notes each step, and gives their number. */
function* work(log: string[], steps: number): Steps<number> {
  for (let i = 0; i < steps; i++) {
    log.push(`step ${i}`);
    yield;
  }
  return steps;
}

describe("work in steps", () => {
  it("is done at once", () => {
    const log: string[] = [];
    assert.equal(finish(work(log, 3)), 3);
    assert.deepEqual(log, ["step 0", "step 1", "step 2"]);
  });

  it("is done with others in between, where they have their turn", async () => {
    const log: string[] = [];
    const pause = () => {
      if (log.length !== 2) return undefined;
      log.push("begin");
      return Promise.resolve().then(() => void log.push("end"));
    };
    assert.equal(await inSlices(work(log, 3), pause), 3);
    assert.deepEqual(log, ["step 0", "step 1", "begin", "end", "step 2"]);
  });

  it("fails as what it does fails", async () => {
    const failing = () => {
      const steps = work([], 2);
      return (function* (): Steps<never> {
        yield* steps;
        throw new Error("here");
      })();
    };
    assert.throws(() => finish(failing()), /here/);
    await assert.rejects(() => inSlices(failing(), () => undefined), /here/);
  });

  it("may be a map of many things, some of them in each step", () => {
    for (const count of [0, 1, stepSize, 10 * stepSize + 1]) {
      const items = Array.from({ length: count }, (_, i) => i);
      assert.deepEqual(finish(mapInSteps(items, (item) => -item)), items.map((item) => -item));
      assert.equal([...mapInSteps(items, () => {})].length, Math.floor(count / stepSize));
    }
  });
});
