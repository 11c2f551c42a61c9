import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { manyRecords, measurePublish } from "../../src/doctor/publish_cost.ts";
import { createIndexAllocator, type NewRecord, type RecordPool } from "../../src/records/mod.ts";

describe("measuring what publishing costs", () => {
  it("publishes one record and then many, and takes no more slots than those", async () => {
    const published: (readonly NewRecord[])[] = [];
    const slots = createIndexAllocator(1);
    const pool: RecordPool = {
      slots,
      publish: async (records) => {
        published.push(records);
        await new Promise((resolve) => setTimeout(resolve, records.length === 1 ? 5 : 50));
      },
      write: () => assert.fail("nothing is edited"),
      release: () => assert.fail("nothing is released"),
      memory: () => 0,
    };
    const { one, many } = await measurePublish(pool);
    assert.deepEqual(published.map((records) => records.length), [1, manyRecords]);
    assert.ok(one >= 4 && many >= 45, `${one} ms, ${many} ms`);
    assert.ok(slots.end <= manyRecords + 1);
    assert.equal(slots.used, 0);
  });
});
