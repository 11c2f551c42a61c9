import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { openShim } from "../../ffi/mod.ts";
import { shimSlices } from "../../src/dataplane/mod.ts";
import { answersDuring } from "../kit/answers_during.ts";
import { describeKernel } from "../kit/mod.ts";

describeKernel("slices with a rest on another thread", () => {
  it("leave the event loop to what comes from outside", async () => {
    using shim = openShim();
    const slices = 50;
    // None with an immediate in place of the rest. In an emulated machine a rest is short.
    assert.ok(await answersDuring(shimSlices(shim), slices) >= 3);
  });
});
