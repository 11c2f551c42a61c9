import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { placeOn } from "../../src/locality/mod.ts";
import { isDeepStrictEqual } from "node:util";
import { compileService } from "../../src/dataplane/compile.ts";
import {
  changedServices,
  editSnapshot,
  emptySnapshot,
  type MeshEdit,
  replaceMesh,
  type StaticEndpoint,
} from "../../src/mesh/mod.ts";
import { policy, service, workload } from "./_mesh.ts";
import { randomEdit, randomFrom, shuffledMesh } from "./_random.ts";

const node = placeOn("");
const web = "shop/web";
const api = "shop/api";

function writtenFor(workloadUid: string): StaticEndpoint {
  return { workloadUid, ports: new Map() };
}

describe("changedServices", () => {
  const vips = ["10.96.0.1"];
  const before = editSnapshot(emptySnapshot(), {
    upsertWorkloads: [
      workload("member", [web, "shop/unknown"]),
      workload("written", []),
      workload("stranger", []),
    ],
    upsertServices: [
      service(web, vips),
      service(api, ["10.96.0.2"], { endpoints: ["written", "missing"].map(writtenFor) }),
      service("edge/web", vips),
    ],
  });
  const cases: { what: string; edit: MeshEdit; changed: string[] }[] = [
    { what: "nothing", edit: {}, changed: [] },
    { what: "a policy", edit: { upsertPolicies: [policy("p")] }, changed: [] },
    { what: "a workload of no service", edit: { removeWorkloads: ["stranger"] }, changed: [] },
    {
      what: "a member",
      edit: { upsertWorkloads: [workload("member", [web], { capacity: 7 })] },
      changed: [web],
    },
    { what: "a member that goes", edit: { removeWorkloads: ["member"] }, changed: [web] },
    { what: "a member that comes", edit: { upsertWorkloads: [workload("new", [api])] }, changed: [api] },
    {
      what: "a member of an unknown service",
      edit: { upsertWorkloads: [workload("new", ["shop/unknown"])] },
      changed: [],
    },
    {
      what: "a service with members that becomes known",
      edit: { upsertServices: [service("shop/unknown", [])] },
      changed: ["shop/unknown"],
    },
    {
      what: "the workload of a written endpoint",
      edit: { upsertWorkloads: [workload("written", [], { addresses: [] })] },
      changed: [api],
    },
    {
      what: "the workload of a written endpoint that appears",
      edit: { upsertWorkloads: [workload("missing", [])] },
      changed: [api],
    },
    { what: "a service that goes", edit: { removeServices: [api] }, changed: [api] },
    { what: "a claimant that goes", edit: { removeServices: [web] }, changed: [web, "edge/web"] },
    {
      what: "a claimant that turns canonical",
      edit: { upsertServices: [service("edge/web", vips, { canonical: true })] },
      changed: [web, "edge/web"],
    },
    {
      what: "a service that claims one more VIP",
      edit: { upsertServices: [service(api, ["10.96.0.2", ...vips])] },
      changed: [web, api, "edge/web"],
    },
  ];
  for (const { what, edit, changed } of cases) {
    it(`${what}: ${changed.join(", ") || "no service"}`, () => {
      const after = editSnapshot(before, edit);
      assert.deepEqual(new Set(changedServices(before, after).keys()), new Set(changed));
    });
  }

  it("names every service that compiles to something else, over random edits", () => {
    let after = emptySnapshot();
    const random = randomFrom(1);
    let [changes, quiet] = [0, 0];
    for (let round = 0; round < 1500; round++) {
      const before = after;
      if (round % 4 === 3) after = replaceMesh(before, shuffledMesh(random, before));
      else after = editSnapshot(before, randomEdit(random));
      const named = changedServices(before, after);
      for (const key of new Set([...before.services.keys(), ...after.services.keys()])) {
        if (isDeepStrictEqual(compileService(before, key, node), compileService(after, key, node))) quiet++;
        else {
          changes++;
          assert.ok(named.has(key), `round ${round}: ${key} changed and is not named`);
        }
      }
    }
    assert.ok(changes > 500 && quiet > 500, `too little to tell: ${changes} changes, ${quiet} without`);
  });
});
