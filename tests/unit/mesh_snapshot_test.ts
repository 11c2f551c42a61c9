import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  changedServices,
  editSnapshot,
  emptySnapshot,
  type Mesh,
  type PersistentMap,
  type Policy,
  replaceMesh,
  type Service,
  serviceKey,
  type Snapshot,
  type StaticEndpoint,
  vipKey,
  type Workload,
} from "../../src/mesh/mod.ts";
import { policy, service, workload, type WorkloadChange } from "./_mesh.ts";
import { randomEdit, randomFrom, shuffledMesh } from "./_random.ts";

function meshOf(workloads: Workload[], services: Service[], policies: Policy[] = []): Mesh {
  return { workloads, services, policies };
}

function writtenFor(workloadUid: string): StaticEndpoint {
  return { workloadUid, ports: new Map() };
}

function contents<V>(map: PersistentMap<V>): Map<string, V> {
  return new Map(map.entries());
}

/** Compares the indexes with those made anew from the workloads and services that the snapshot holds. */
function assertIndexes(snapshot: Snapshot): void {
  const members = new Map<string, Map<string, Workload>>();
  for (const each of snapshot.workloads.values()) {
    for (const key of each.services.keys()) {
      members.set(key, (members.get(key) ?? new Map()).set(each.uid, each));
    }
  }
  const claims = new Map<string, Set<string>>();
  const writers = new Map<string, Set<string>>();
  for (const each of snapshot.services.values()) {
    const key = serviceKey(each);
    for (const vip of each.vips) claims.set(vipKey(vip), (claims.get(vipKey(vip)) ?? new Set()).add(key));
    for (const { workloadUid } of each.endpoints) {
      writers.set(workloadUid, (writers.get(workloadUid) ?? new Set()).add(key));
    }
  }
  const found = [...snapshot.members.entries()].map(([name, map]) => [name, contents(map)] as const);
  assert.deepEqual(new Map(found), members);
  for (const [index, expected] of [[snapshot.claims, claims], [snapshot.writers, writers]] as const) {
    for (const keys of index.values()) {
      assert.equal(new Set(keys).size, keys.length, "no service twice in a list");
    }
    assert.deepEqual(new Map([...index.entries()].map(([name, keys]) => [name, new Set(keys)])), expected);
  }
}

const web = "shop/web";
const api = "shop/api";

describe("editSnapshot", () => {
  it("takes workloads before their services and services before their workloads", () => {
    const early = editSnapshot(emptySnapshot(), { upsertWorkloads: [workload("w1", [web])] });
    assert.deepEqual([...early.members.get(web)?.keys() ?? []], ["w1"]);
    const one = editSnapshot(early, { upsertServices: [service(web, ["10.96.0.1"])] });
    const late = editSnapshot(emptySnapshot(), { upsertServices: [service(web, ["10.96.0.1"])] });
    const other = editSnapshot(late, { upsertWorkloads: [workload("w1", [web])] });
    for (const snapshot of [one, other]) {
      assertIndexes(snapshot);
      assert.equal(snapshot.members.get(web)?.get("w1"), snapshot.workloads.get("w1"));
    }
  });

  it("keeps the very same snapshot where the edit says nothing new", () => {
    const edit = {
      upsertWorkloads: [workload("w1", [web])],
      upsertServices: [service(web, ["10.96.0.1"], { endpoints: [writtenFor("w1")] })],
      upsertPolicies: [policy("p")],
    };
    const snapshot = editSnapshot(emptySnapshot(), edit);
    assert.equal(editSnapshot(snapshot, {}), snapshot);
    assert.equal(editSnapshot(snapshot, structuredClone(edit)), snapshot);
    const gone = { removeWorkloads: ["x"], removeServices: ["shop/x"], removePolicies: ["shop/x"] };
    assert.equal(editSnapshot(snapshot, gone), snapshot);
    assert.equal(editSnapshot(snapshot, { upsertPolicies: [policy("p")] }), snapshot);
    assert.notEqual(editSnapshot(snapshot, { upsertPolicies: [policy("p", { dryRun: true })] }), snapshot);
  });

  it("moves a workload between services and forgets a service's last member", () => {
    const before = editSnapshot(emptySnapshot(), { upsertWorkloads: [workload("w1", [web])] });
    const after = editSnapshot(before, { upsertWorkloads: [workload("w1", [api])] });
    assertIndexes(after);
    assert.equal(after.members.has(web), false);
    assert.equal(editSnapshot(after, { removeWorkloads: ["w1"] }).members.size, 0);
    assert.deepEqual([...before.members.keys()], [web], "the old snapshot is as it was");
  });

  it("lists the claimants of a VIP by their keys, however they arrived", () => {
    const claims = (snapshot: Snapshot) => snapshot.claims.get("/10.96.0.1");
    const vips = ["10.96.0.1"];
    const both = editSnapshot(emptySnapshot(), { upsertServices: [service(web, vips), service(api, vips)] });
    assert.deepEqual(claims(both), [api, web]);
    const again = editSnapshot(both, { upsertServices: [service(api, vips, { canonical: true })] });
    assert.deepEqual(claims(again), [api, web]);
    const returned = editSnapshot(editSnapshot(both, { removeServices: [api] }), {
      upsertServices: [service(api, vips)],
    });
    assert.deepEqual(claims(returned), [api, web]);
    assert.equal(claims(editSnapshot(both, { removeServices: [web, api] })), undefined);
  });

  it("counts the last of two values with one identity", () => {
    const snapshot = editSnapshot(emptySnapshot(), {
      upsertWorkloads: [workload("w1", [web]), workload("w1", [api])],
    });
    assertIndexes(snapshot);
    assert.deepEqual([...snapshot.members.keys()], [api]);
  });
});

describe("replaceMesh", () => {
  it("says what the mesh says and nothing else", () => {
    const first = meshOf([workload("w1", [web]), workload("w2", [web])], [service(web, ["10.96.0.1"])], [
      policy("p"),
    ]);
    const second = meshOf([workload("w2", [api])], [
      service(api, ["10.96.0.2"], { endpoints: [writtenFor("w1"), writtenFor("w2")] }),
    ]);
    const snapshot = replaceMesh(replaceMesh(emptySnapshot(), first), second);
    assertIndexes(snapshot);
    assert.deepEqual([...snapshot.workloads.keys()], ["w2"]);
    assert.deepEqual([...snapshot.services.keys()], [api]);
    assert.equal(snapshot.policies.size, 0);
  });

  it("keeps the objects of what the mesh says unchanged, and the very snapshot where that is all", () => {
    const services = [service(web, ["10.96.0.1"]), service(api, ["10.96.0.2"])];
    const mesh = meshOf([workload("w1", [web]), workload("w2", [api])], services, [policy("p")]);
    const before = replaceMesh(emptySnapshot(), mesh);
    assert.equal(replaceMesh(before, structuredClone(mesh)), before);
    const after = replaceMesh(before, {
      ...structuredClone(mesh),
      workloads: [workload("w1", [web]), workload("w2", [api], { capacity: 2 })],
    });
    assert.notEqual(after, before);
    assert.equal(after.services, before.services);
    assert.equal(after.workloads.get("w1"), before.workloads.get("w1"));
    assert.equal(after.members.get(web), before.members.get(web));
    assert.notEqual(after.members.get(api), before.members.get(api));
  });

  it("keeps the parts of a changed workload that say the same, however often it changes", () => {
    const locality = { region: "r", zone: "z", subzone: "s" };
    const told = () => ["a", "b", "c"].map((uid) => workload(uid, [web], { locality: { ...locality } }));
    const [a, b, c] = told();
    const shared = { traits: a.traits, services: a.services };
    let snapshot = editSnapshot(emptySnapshot(), {
      upsertWorkloads: [a, { ...b, ...shared }, { ...c, ...shared }],
    });
    for (let change = 1; change <= 10; change++) {
      for (const again of told()) {
        const upsertWorkloads = [{ ...again, addresses: [`10.0.0.${change}`] }];
        snapshot = editSnapshot(snapshot, { upsertWorkloads });
      }
    }
    const now = [...snapshot.workloads.values()];
    assert.deepEqual(now.map(({ addresses }) => addresses), [["10.0.0.10"], ["10.0.0.10"], ["10.0.0.10"]]);
    assert.equal(new Set(now.map((each) => each.services)).size, 1);
    assert.equal(new Set(now.map((each) => each.traits)).size, 1);
    assertIndexes(snapshot);
  });

  it("keeps the parts of changed traits that say the same", () => {
    const told = (node: string) =>
      workload("a", [web], { node, locality: { ...locality }, waypoint: { ...waypoint } });
    const locality = { region: "r", zone: "z", subzone: "s" };
    const waypoint = { destination: "/10.0.0.9", hboneMtlsPort: 15008 };
    const before = editSnapshot(emptySnapshot(), { upsertWorkloads: [told("n1")] }).workloads.get("a")!;
    const snapshot = editSnapshot(emptySnapshot(), { upsertWorkloads: [before] });
    const { traits } = editSnapshot(snapshot, { upsertWorkloads: [told("n2")] }).workloads.get("a")!;
    assert.deepEqual(traits, { ...before.traits, node: "n2" });
    assert.equal(traits.locality, before.traits.locality);
    assert.equal(traits.waypoint, before.traits.waypoint);
  });

  it("notices a difference in every field", () => {
    const base = workload("w1", [web]);
    const differing: WorkloadChange[] = [
      { addresses: ["10.0.0.1", "10.0.0.2"] },
      { locality: { region: "", zone: "a", subzone: "" } },
      { services: new Map([[web, new Map([[80, 8081]])]]) },
      { services: new Map([[web, new Map([[81, 8080]])]]) },
      { waypoint: { destination: "/10.0.0.9", hboneMtlsPort: 15008 } },
      { status: "Unhealthy" },
      { authorizationPolicies: ["shop/p"] },
    ];
    const before = replaceMesh(emptySnapshot(), meshOf([base], []));
    for (const change of differing) {
      const changed = workload("w1", [web], change);
      const after = replaceMesh(before, meshOf([changed], []));
      assert.notEqual(after, before, JSON.stringify(change));
      assert.deepEqual(after.workloads.get("w1"), changed);
    }
  });

  it("puts the claimants of a VIP into the order of the file", () => {
    const vips = ["10.96.0.1"];
    const before = replaceMesh(emptySnapshot(), meshOf([], [service(web, vips), service(api, vips)]));
    const after = replaceMesh(before, meshOf([], [service(api, vips), service(web, vips)]));
    assert.deepEqual(after.claims.get("/10.96.0.1"), [api, web]);
    assert.equal(after.services, before.services);
    assert.deepEqual(new Set(changedServices(before, after).keys()), new Set([web, api]));
    const inserted = replaceMesh(after, meshOf([], [service("a/new", vips), ...after.services.values()]));
    assert.equal(inserted.claims.get("/10.96.0.1")?.[0], "a/new");
  });
});

describe("a snapshot", () => {
  it("has the same indexes after any edits as one that is made at once", () => {
    const random = randomFrom(2);
    let snapshot = emptySnapshot();
    for (let round = 0; round < 300; round++) {
      if (round % 4 === 3) snapshot = replaceMesh(snapshot, shuffledMesh(random, snapshot));
      else snapshot = editSnapshot(snapshot, randomEdit(random));
      assertIndexes(snapshot);
    }
    assert.ok(
      snapshot.services.size > 1 && snapshot.workloads.size > 1,
      "the edits left something to look at",
    );
  });

  it("orders claims as the file does, whatever was there before", () => {
    const random = randomFrom(3);
    let snapshot = emptySnapshot();
    for (let round = 0; round < 300; round++) {
      snapshot = editSnapshot(snapshot, randomEdit(random));
      const mesh = shuffledMesh(random, snapshot);
      snapshot = replaceMesh(snapshot, mesh);
      const fresh = replaceMesh(emptySnapshot(), mesh);
      assert.deepEqual(contents(snapshot.claims), contents(fresh.claims));
    }
  });
});
