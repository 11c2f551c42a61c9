import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { ArrayOfMaps } from "../../ffi/mod.ts";
import { manyRecords, measurePublish } from "../../src/doctor/publish_cost.ts";
import { createOuterMap } from "../../src/records/mod.ts";
import { createFakeKernel } from "./_fake_kernel.ts";

describe("measuring what publishing costs", () => {
  it("publishes one record and then many in one batch, and takes no more slots than those", async () => {
    const kernel = createFakeKernel();
    const { shim } = kernel;
    const outer = await createOuterMap(shim, (fd) => new ArrayOfMaps(shim, fd, "records"), manyRecords + 1);
    const before = shim.counts.get("records.publish")!;
    await measurePublish(outer, 0);
    assert.equal(shim.counts.get("records.publish"), before + 2);
    assert.equal(shim.counts.get("record.create"), 1 + 1 + manyRecords);
    assert.equal(outer.entries().length, manyRecords + 1);
  });
});
