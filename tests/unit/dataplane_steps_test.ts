import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { compileInSteps, compileService } from "../../src/dataplane/compile.ts";
import { createController } from "../../src/dataplane/mod.ts";
import { compileEdit } from "../../src/dataplane/compile_edit.ts";
import { abandonPlan, planFlush } from "../../src/dataplane/plan/mod.ts";
import { readBackInSteps } from "../../src/dataplane/read_back.ts";
import { stepSize } from "../../src/host/mod.ts";
import { placeOn } from "../../src/locality/mod.ts";
import { editSnapshot, emptySnapshot, type Workload } from "../../src/mesh/mod.ts";
import { createDatapathHost } from "./_datapath_host.ts";
import { service, workload, type WorkloadChange } from "./_mesh.ts";

const web = "shop/web";
const place = placeOn("");
const count = 20 * stepSize;

function member(n: number, change: WorkloadChange = {}): Workload {
  const address = `10.1.${n >> 8}.${n & 255}`;
  return workload(`pod-${n}`, [web], { addresses: [address], ...change });
}

const members = Array.from({ length: count }, (_, n) => member(n));
const snapshot = editSnapshot(emptySnapshot(), {
  upsertServices: [service(web, ["10.96.0.1"])],
  upsertWorkloads: members,
});
const whole = compileService(snapshot, web, place);
const report = {
  ...{ endpointsWritten: 0, recordsPublished: 0, durationMs: 0 },
  ...{ backgroundError: undefined, repaired: [], grownTo: undefined },
};
const sizes = { endpoints: 4 * count };

/** Counts how often others could have had their turn. */
function countPauses() {
  const counted = { pauses: 0 };
  const pause = () => {
    counted.pauses++;
    return undefined;
  };
  return { counted, pause };
}

describe("one service with very many endpoints lets others have their turn", () => {
  it("while it is compiled", () => {
    const steps = [...compileInSteps(snapshot, web, place)].length;
    assert.ok(steps >= 3 * count / stepSize, `${steps} steps`);
  });

  it("while it is planned, the first time and again", async () => {
    using host = createDatapathHost();
    const datapath = host.open({ sizes });
    const first = countPauses();
    abandonPlan(
      await planFlush(datapath.applied, datapath.pool, [[web, whole]], undefined, first.pause),
      datapath.applied,
      datapath.pool,
    );
    assert.ok(first.counted.pauses >= count / stepSize, `${first.counted.pauses} pauses`);

    await datapath.flush([[web, whole]]);
    await datapath.settle();
    const again = countPauses();
    await planFlush(datapath.applied, datapath.pool, [[web, whole]], undefined, again.pause);
    assert.ok(again.counted.pauses >= 2 * count / stepSize, `${again.counted.pauses} pauses`);
  });

  it("while it is compiled as an edit cannot be made in place", async () => {
    using host = createDatapathHost();
    const datapath = host.open({ sizes });
    await datapath.flush([[web, whole]]);
    await datapath.settle();

    const after = editSnapshot(snapshot, { upsertWorkloads: [member(7, { capacity: 3 })] });
    const input = { place, aside: new Map() };
    const edit = compileEdit({ ...input, snapshot }, { ...input, snapshot: after }, web)!;
    const { counted, pause } = countPauses();
    await planFlush(datapath.applied, datapath.pool, [[web, edit]], undefined, pause);
    assert.ok(counted.pauses >= 5 * count / stepSize, `${counted.pauses} pauses`);
  });

  it("and takes nothing where one of the others fails", async () => {
    using host = createDatapathHost();
    const { applied, pool } = host.open({ sizes });
    const used = () => [applied.endpointIndexes.used, applied.servicePortIds.used, pool.used];
    const before = used();
    for (const last of [3, 10, 21]) {
      let pauses = 0;
      const pause = () => ++pauses === last ? Promise.reject(new Error("ended")) : undefined;
      await assert.rejects(planFlush(applied, pool, [[web, whole]], undefined, pause), /ended/);
      assert.deepEqual(used(), before);
    }
  });

  it("when it is handed to the data path, whether it is new or very many members of it are", async () => {
    const pauses: number[] = [];
    const controller = createController({
      datapath: {
        flush: (changes) => {
          pauses.push([...changes].filter((change) => change === undefined).length);
          return Promise.resolve({ ...report, services: 1 });
        },
        reread: () => Promise.resolve(),
        settle: () => Promise.resolve(),
      },
      node: () => place,
      onFlush: () => {},
      onError: (message) => assert.fail(message),
    });
    controller.submit(snapshot);
    await controller.idle();
    controller.submit(editSnapshot(snapshot, { removeWorkloads: members.map(({ uid }) => uid) }));
    await controller.idle();
    controller.submit(snapshot);
    await controller.idle();
    controller.submit(editSnapshot(snapshot, { removeWorkloads: ["pod-1"] }));
    await controller.idle();
    const many = 3 * count / stepSize;
    assert.ok(pauses[0] >= many && pauses[2] >= many, `${pauses}`);
    assert.deepEqual([pauses[1], pauses[3]], [0, 0], "few endpoints are compiled, and one edit is small");
  });

  it("while what is being worked out is waited for", async () => {
    using host = createDatapathHost();
    const { applied, pool } = host.open();
    const { counted, pause } = countPauses();
    const plan = await planFlush(applied, pool, [undefined, undefined, [web, undefined]], undefined, pause);
    assert.equal(plan.services, 1);
    assert.ok(counted.pauses >= 3);
  });

  it("while the kernel is read back", async () => {
    using host = createDatapathHost();
    const datapath = host.open({ sizes });
    await datapath.flush([[web, whole]]);
    await datapath.settle();
    const maps = datapath.maps!;
    assert.ok([...readBackInSteps(maps, new Map(maps.records.entries()))].length >= count);
  });
});
