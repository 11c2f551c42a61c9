import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createWholePorts } from "../../src/agent/whole_ports.ts";
import { compileService, endpointKey } from "../../src/dataplane/mod.ts";
import { createNodeFinder, placeOn } from "../../src/locality/mod.ts";
import { editSnapshot, emptySnapshot, type Snapshot } from "../../src/mesh/mod.ts";
import type { WholePort } from "../../src/outlier_detection/mod.ts";
import { service, workload } from "./_mesh.ts";
import { randomFrom } from "./_random.ts";
import { randomEdits, randomFinalMesh, thisNode } from "./_random_mesh.ts";

/** The order of endpoints within a tier means nothing. */
function normal(ports: readonly Pick<WholePort, "key" | "tiers">[]): unknown {
  return ports.map(({ key, tiers }) => ({
    key,
    tiers: tiers.map(({ rank, endpoints, portless }) => ({
      rank,
      portless,
      endpoints: endpoints.map((endpoint) => `${endpointKey(endpoint)} ${endpoint.weight}`).toSorted(),
    })),
  }));
}

describe("a service's ports without regard to what is set aside", () => {
  for (let seed = 0; seed < 60; seed++) {
    it(`are what compiling it gives, whatever was before (seed ${seed})`, () => {
      const random = randomFrom(seed);
      const options = { network: "", node: thisNode, clusterId: "" };
      const untold = { region: undefined, zone: undefined, subzone: undefined };
      const node = createNodeFinder({ ...options, ...untold });
      const wholePorts = createWholePorts();
      let snapshot: Snapshot = emptySnapshot();
      for (let mesh = 0; mesh < 3; mesh++) {
        for (const edit of randomEdits(random, randomFinalMesh(random))) {
          snapshot = editSnapshot(snapshot, edit);
          if (random() < 0.3) continue;
          const place = node.place(snapshot);
          for (const key of snapshot.services.keys()) {
            if (random() < 0.3) continue;
            const expected = compileService(snapshot, key, place).servicePorts;
            assert.deepEqual(normal(wholePorts(snapshot, key, place)), normal(expected), key);
          }
        }
      }
    });
  }

  it("are none of a service that there is not", () => {
    assert.deepEqual(createWholePorts()(emptySnapshot(), "shop/web", placeOn("")), []);
  });

  it("cost what changed: other members are not looked at", () => {
    const key = "shop/web";
    const place = placeOn("");
    const asked: string[] = [];
    const members = Array.from({ length: 100 }, (_, i) => {
      const one = workload(`w${i}`, [key], { addresses: [`10.0.0.${i}`] });
      const { status } = one;
      return Object.defineProperty(one, "status", { get: () => (asked.push(one.uid), status) });
    });
    const before = editSnapshot(emptySnapshot(), {
      upsertServices: [service(key, ["10.96.0.1"])],
      upsertWorkloads: members,
    });
    const wholePorts = createWholePorts();
    assert.equal(wholePorts(before, key, place)[0].tiers[0].endpoints.length, 100);
    const after = editSnapshot(before, { removeWorkloads: ["w7"] });
    asked.length = 0;
    assert.equal(wholePorts(after, key, place)[0].tiers[0].endpoints.length, 99);
    assert.deepEqual([...new Set(asked)], ["w7"]);
  });
});
