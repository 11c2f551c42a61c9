import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import type { CheckResult, Status } from "../../src/doctor/check.ts";
import { featuresOf } from "../../src/doctor/features.ts";

const result = (id: string, status: Status): CheckResult => ({
  id,
  section: "",
  title: "",
  status,
  detail: "",
  remedy: null,
  durationMs: 0,
});

describe("features", () => {
  it("are there, not there, or not known, as their checks say", () => {
    const features = featuresOf([
      result("programs.set_retval", "ok"),
      result("kernel.publish_batch", "warning"),
      result("programs.jit", "skipped"),
    ]);
    assert.equal(features.setRetval.available, true);
    assert.equal(features.publishInBatches.available, false);
    assert.equal(features.jit.available, null);
    assert.equal(features.onePublishWait.available, null, "its check did not run at all");
  });

  it("say since when, and what it is like without them", () => {
    for (const [name, { since, without }] of Object.entries(featuresOf([]))) {
      assert.ok(since === null || /^\d+\.\d+$/.test(since), name);
      assert.ok(without.length > 0, name);
    }
  });
});
