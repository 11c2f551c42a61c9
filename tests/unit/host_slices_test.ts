import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createSlices, openTurns, timedSlices, turnSlices } from "../../src/host/mod.ts";
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
    const pause = createSlices(10, rest, () => now)();
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

  it("leave the event loop to what comes from outside", async () => {
    const slices = 50;
    assert.ok(await answersDuring(timedSlices, slices) >= slices / 5);
  });

  it("answer whoever has asked by the end of one: with turns a question that is there needs no second rest", async () => {
    await using turns = await openTurns();
    const slices = 100;
    // With an immediate, or a sleep of 0.2 ms on another thread, in place of the turns: none, and 3 to 60.
    assert.ok(await answersDuring(turnSlices(turns), slices) >= slices / 2);
  });
});

describe("turns of the event loop", () => {
  it("are shared by all who wait for one, and end with what is open", async () => {
    const turns = await openTurns();
    await Promise.all(Array.from({ length: 10 }, () => turns.next()));
    const last = turns.next();
    await turns[Symbol.asyncDispose]();
    await last;
    await turns.next();
  });

  it("let others run in between, however many follow each other", async () => {
    await using turns = await openTurns();
    let ran = false;
    const timer = setTimeout(() => ran = true, 1);
    for (let i = 0; i < 100_000 && !ran; i++) await turns.next();
    clearTimeout(timer);
    assert.ok(ran);
  });
});
