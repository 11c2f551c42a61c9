import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { parseMesh } from "../../src/config/mod.ts";
import { acts } from "../../src/demo/acts.ts";
import { backends, expectedShares, frontend, meshState, renderMesh } from "../../src/demo/mesh.ts";

describe("demo: mesh", () => {
  it("changes what is given and nothing else", () => {
    const state = meshState({ "web-a1": undefined, "web-b2": { capacity: 3 } });
    assert.deepEqual([...state], [
      ["web-a2", { healthy: true, capacity: 1 }],
      ["web-b1", { healthy: true, capacity: 1 }],
      ["web-b2", { healthy: true, capacity: 3 }],
    ]);
  });

  it("expects shares by capacity, of healthy backends only", () => {
    const state = meshState({
      "web-a1": { healthy: false, capacity: 5 },
      "web-a2": { capacity: 0 },
      "web-b2": { capacity: 3 },
    });
    assert.deepEqual([...expectedShares(state)], [["web-b1", 0.25], ["web-b2", 0.75]]);
    assert.equal(expectedShares(meshState({ "web-a1": undefined })).get("web-a2"), 1 / 3);
  });

  for (const { title, mesh } of acts) {
    it(`writes a mesh file that says so, without a warning: ${title}`, () => {
      const file = parseMesh(renderMesh(mesh), "mesh.yaml");
      assert.deepEqual(file.warnings, []);
      const [service] = file.mesh.services;
      assert.deepEqual(service.vips.map((vip) => vip.address), Object.values(frontend.addresses));
      assert.deepEqual(
        file.mesh.workloads.map((
          one,
        ) => [one.uid, { healthy: one.status === "Healthy", capacity: one.capacity }]),
        [...mesh],
      );
      for (const workload of file.mesh.workloads) {
        const backend = backends.find(({ name }) => name === workload.uid)!;
        const [ports] = workload.services.values();
        assert.deepEqual(workload.addresses, Object.values(backend.addresses));
        assert.equal(ports.get(frontend.port) ?? service.ports.get(frontend.port), backend.port);
      }
    });
  }
});
