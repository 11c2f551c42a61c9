import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { serviceViews } from "../../src/agent/views.ts";
import { stepSize } from "../../src/host/mod.ts";
import { editSnapshot, emptySnapshot } from "../../src/mesh/mod.ts";
import { controllerOf, createDatapathHost } from "./_datapath_host.ts";
import { service, workload } from "./_mesh.ts";

describe("weft services, while the mesh changes", () => {
  it("has rows that are true when they are given, and none for what is gone", async () => {
    using host = createDatapathHost();
    const datapath = host.open();
    const { controller, errors } = controllerOf(datapath);
    const keys = [1, 2, 3, 4, 5, 6].map((n) => `shop/s${n}`);
    const before = editSnapshot(emptySnapshot(), {
      upsertServices: keys.map((key, n) => service(key, [`10.96.0.${n + 1}`])),
      upsertWorkloads: keys.map((key, n) => workload(`w${n + 1}`, [key], { addresses: [`10.1.0.${n + 1}`] })),
    });
    controller.submit(before);
    await controller.idle();

    const rows = serviceViews(datapath, controller, undefined, "").filter((row) => row !== undefined);
    const { value: first } = rows.next();
    const [gone, moved] = keys.filter((key) => key !== first!.service);
    controller.submit(editSnapshot(before, {
      removeServices: [gone],
      upsertServices: [service(moved, ["10.96.0.9"])],
      upsertWorkloads: [workload("new", [moved], { addresses: ["10.1.0.9"] })],
    }));
    await controller.idle();
    const rest = [...rows];

    assert.deepEqual(errors, []);
    const given = [first!, ...rest];
    assert.deepEqual(given.map((row) => row.service).sort(), keys.filter((key) => key !== gone));
    assert.deepEqual(given.map(({ note }) => note), ["", "", "", "", ""]);
    const { vips, usable, members } = rest.find((row) => row.service === moved)!;
    assert.deepEqual({ vips, usable, members }, { vips: ["10.96.0.9"], usable: 2, members: 2 });
    await datapath.settle();
    datapath.close();
  });

  it("counts the connections of however many endpoints, with others in between", async () => {
    using host = createDatapathHost();
    const datapath = host.open({ sizes: { endpoints: 4096 } });
    const { controller, errors } = controllerOf(datapath);
    const count = 3 * stepSize + 1;
    controller.submit(editSnapshot(emptySnapshot(), {
      upsertServices: [service("shop/s1", ["10.96.0.1"])],
      upsertWorkloads: Array.from(
        { length: count },
        (_, n) => workload(`w${n}`, ["shop/s1"], { addresses: [`10.1.${n >> 8}.${n & 255}`] }),
      ),
    }));
    await controller.idle();
    const { maps, applied } = datapath;
    const [port] = applied.services.get("shop/s1")!.servicePorts.values();
    for (const { rows } of port.tiers.values()) {
      for (const { index } of rows) maps!.endpointHits.update(index, 2n);
    }
    maps!.refusals.update(port.id, 5n);
    assert.deepEqual(errors, []);
    const given = [...serviceViews(datapath, controller, undefined, "")];
    assert.equal(given.length, 4);
    assert.deepEqual(given.slice(0, 3), [undefined, undefined, undefined]);
    assert.deepEqual([given[3]!.connections, given[3]!.refused, given[3]!.usable], [2 * count, 5, count]);
    await datapath.settle();
    datapath.close();
  });
});
