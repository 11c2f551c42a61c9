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
      now += 5;
      return Promise.resolve();
    };
    const pause = createSlices(rest, () => now)();
    now = 9.9;
    assert.equal(pause(), undefined);
    now = 10;
    await pause();
    assert.equal(rests, 1);
    now = 24.9;
    assert.equal(pause(), undefined);
    now = 25;
    await pause();
    assert.equal(rests, 2);
  });

  it("leave the event loop to what comes from outside", async () => {
    const slices = 50;
    assert.ok(await answersDuring(timedSlices, slices) >= slices / 5);
  });
});
