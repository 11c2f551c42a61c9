import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { explainView } from "../../src/agent/explain_view.ts";
import { parseDestination } from "../../src/explain/mod.ts";
import { editSnapshot, emptySnapshot } from "../../src/mesh/mod.ts";
import { controllerOf, createDatapathHost } from "./_datapath_host.ts";
import { workload } from "./_mesh.ts";

describe("weft explain of a running agent, an address that several workloads have", () => {
  it("is the last one's by uid, whatever order they are kept in", async () => {
    using host = createDatapathHost();
    const datapath = host.open();
    const { controller } = controllerOf(datapath);
    const uids = Array.from({ length: 50 }, (_, n) => `w${n + 10}`);
    controller.submit(editSnapshot(emptySnapshot(), {
      upsertWorkloads: [
        ...uids.map((uid) => workload(uid, [], { addresses: ["10.1.0.1"] })),
        workload("x", [], { addresses: ["10.1.0.2"] }),
      ],
    }));
    await controller.idle();
    const { endpoints } = explainView(datapath, controller, parseDestination("10.1.0.1:80")!, "TCP");
    assert.deepEqual(endpoints.map(({ uid }) => uid), ["w59"]);
    await datapath.settle();
    datapath.close();
  });
});
