import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createSlices, timedSlices } from "../../src/host/mod.ts";
import { answersDuring } from "../kit/answers_during.ts";

describe("slices", () => {
  it("rest when one is used up, and the next begins with the end of the rest", async () => {
    let now = 0;
    let rests = 0;
    const rest = () => {
      rests++;
      now += 2.9;
      return Promise.resolve();
    };
    const pause = createSlices(rest, 3, () => now)();
    now = 9.9;
    assert.equal(pause(), undefined);
    now = 10;
    await pause();
    assert.equal(rests, 1);
    now = 22.8;
    assert.equal(pause(), undefined);
    now = 22.9;
    await pause();
    assert.equal(rests, 2);
  });

  it("rest again while others use the rests, for what a request takes, and no longer", async () => {
    for (const [lengths, rests] of [[[2.9], 1], [[3, 2], 2], [[12, 3, 1], 3], [[9, 9, 9, 9], 3]] as const) {
      let now = 0;
      let rested = 0;
      const rest = () => {
        now += lengths[rested++];
        return Promise.resolve();
      };
      const pause = createSlices(rest, 3, () => now)();
      now = 10;
      await pause();
      assert.equal(rested, rests);
    }
  });

  it("are short for a while after a rest that others used", async () => {
    let now = 0;
    let restMs = 1;
    const slices = createSlices(() => Promise.resolve(void (now += restMs)), 3, () => now);
    const pause = slices();
    /** Works until a slice ends, and rests. */
    const lengthOfSlice = async () => {
      for (const begin = now;; now += 0.5) {
        const length = now - begin;
        const turn = pause();
        if (turn === undefined) continue;
        await turn;
        return length;
      }
    };
    assert.equal(await lengthOfSlice(), 10);
    restMs = 4;
    assert.equal(await lengthOfSlice(), 10);
    restMs = 1;
    const used = now;
    const lengths: number[] = [];
    while (now < used + 100) lengths.push(await lengthOfSlice());
    const short = lengths.filter((length) => length === 5).length;
    assert.ok(short >= 8 && short <= 9, `${lengths}`);
    assert.deepEqual(new Set(lengths.slice(0, short)), new Set([5]));
    assert.deepEqual(new Set(lengths.slice(short)), new Set([10]));
  });

  it("leave the event loop to what comes from outside", async () => {
    const slices = 50;
    assert.ok(await answersDuring(timedSlices, slices) >= slices / 5);
  });
});
