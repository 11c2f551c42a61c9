import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createTraitsSharing, type WorkloadTraits } from "../../src/mesh/mod.ts";
import { workload, type WorkloadChange } from "./_mesh.ts";

const traits = (change: WorkloadChange = {}): WorkloadTraits => workload("w", [], change).traits;

describe("createTraitsSharing", () => {
  it("gives one object for traits that say the same", () => {
    const share = createTraitsSharing();
    const one = share(traits({ node: "n1" }));
    const other = share(traits({ node: "n2" }));
    assert.equal(share(traits({ node: "n1" })), one);
    assert.equal(share(traits({ node: "n2" })), other);
    assert.deepEqual([one, other], [traits({ node: "n1" }), traits({ node: "n2" })]);
  });

  it("tells them apart by every field", () => {
    const changes: WorkloadChange[] = [
      { namespace: "x" },
      { network: "x" },
      { node: "x" },
      { clusterId: "x" },
      { locality: { region: "", zone: "x", subzone: "" } },
      { waypoint: { destination: "/10.0.0.9", hboneMtlsPort: 15008 } },
      { networkGateway: { destination: "/10.0.0.9", hboneMtlsPort: 15008 } },
      { protocol: "HBONE" },
      { networkMode: "HostNetwork" },
      { authorizationPolicies: ["shop/p"] },
    ];
    assert.equal(changes.length, Object.keys(traits()).length);
    const share = createTraitsSharing();
    share(traits());
    for (const change of changes) assert.deepEqual(share(traits(change)), traits(change));
  });

  it("keeps a copy: what it was given may change", () => {
    const share = createTraitsSharing();
    const scratch = { ...traits() };
    const kept = share(scratch);
    scratch.namespace = "other";
    assert.deepEqual(kept, traits());
    assert.deepEqual(share(scratch), traits({ namespace: "other" }));
  });

  it("is right about more kinds than it remembers", () => {
    const share = createTraitsSharing();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 100; i++) {
        assert.deepEqual(share(traits({ namespace: `${i}` })), traits({ namespace: `${i}` }));
      }
    }
    const last = share(traits({ namespace: "99" }));
    assert.equal(share(traits({ namespace: "99" })), last);
    const first = share(traits({ namespace: "0" }));
    for (let i = 1; i < 100; i++) share(traits({ namespace: `${i}` }));
    assert.notEqual(share(traits({ namespace: "0" })), first, "it does not remember all");
  });
});
