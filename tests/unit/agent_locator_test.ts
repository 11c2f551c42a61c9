import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createLocator } from "../../src/agent/locator.ts";
import { asideKey, endpointKey } from "../../src/dataplane/mod.ts";
import { createDatapathHost, serviceOf } from "./_datapath_host.ts";

describe("the endpoint of an index", () => {
  it("is found after each flush, by its generation", async () => {
    using host = createDatapathHost();
    const datapath = host.open();
    const state = { flushes: 0 };
    const locate = createLocator(datapath, { state } as Parameters<typeof createLocator>[1]);
    await datapath.flush([serviceOf(1, 3), serviceOf(2, 2)]);
    state.flushes++;
    const rows = [...datapath.applied.services].flatMap(([service, { servicePorts }]) =>
      [...servicePorts].flatMap(([port, { tiers }]) =>
        [...tiers.values()].flatMap(({ rows }) => rows.map((row) => ({ service, port, row })))
      )
    );
    assert.equal(rows.length, 5);
    for (const { service, port, row } of rows) {
      const { index, generation } = row;
      const found = locate.find(index, generation);
      assert.deepEqual(
        [found?.service, found?.port, found?.endpoint],
        [service, port, endpointKey(row)],
      );
      assert.equal(locate.find(index, generation + 1), undefined);
      assert.equal(locate.indexOf(service, asideKey(port, endpointKey(row))), index);
    }
    const { index, generation } = rows[0].row;
    await datapath.flush([[rows[0].service, undefined]]);
    state.flushes++;
    assert.equal(locate.find(index, generation), undefined);
    assert.equal(
      locate.indexOf(rows[0].service, asideKey(rows[0].port, endpointKey(rows[0].row))),
      undefined,
    );
    assert.notEqual(locate.find(rows[4].row.index, rows[4].row.generation), undefined);
    await datapath.settle();
    datapath.close();
  });
});
