import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { finish } from "../../src/host/mod.ts";
import { createNodeFinder, type NodeOptions } from "../../src/locality/mod.ts";
import { editSnapshot, emptySnapshot, type Snapshot, type Workload } from "../../src/mesh/mod.ts";
import { workload, type WorkloadChange } from "./_mesh.ts";
import { randomFrom } from "./_random.ts";

const untold: NodeOptions = {
  network: "net",
  node: "n1",
  clusterId: "c1",
  region: undefined,
  zone: undefined,
  subzone: undefined,
};
const nowhere = { region: "", zone: "", subzone: "" };

/** A workload on a node; `locality` is `region/zone/subzone`. */
function on(node: string, uid: string, locality: string, change: WorkloadChange = {}): Workload {
  const [region, zone, subzone] = locality.split("/");
  return workload(uid, [], { node, locality: { region, zone, subzone }, ...change });
}

function mesh(...workloads: Workload[]): Snapshot {
  return editSnapshot(emptySnapshot(), { upsertWorkloads: workloads });
}

const there = mesh(on("n1", "a", "r/z/s"), on("n1", "b", "r/z/s"), on("n2", "c", "q/y/t"));

describe("where the node is", () => {
  it("network, node and cluster are as told, whatever workloads say", () => {
    const { network, node, clusterId } = createNodeFinder(untold).place(there);
    assert.deepEqual({ network, node, clusterId }, { network: "net", node: "n1", clusterId: "c1" });
  });

  describe("region, zone and subzone come as a whole", () => {
    const cases: { told: Partial<NodeOptions>; locality: typeof nowhere }[] = [
      { told: {}, locality: { region: "r", zone: "z", subzone: "s" } },
      { told: { region: "x" }, locality: { region: "x", zone: "", subzone: "" } },
      { told: { zone: "x" }, locality: { region: "", zone: "x", subzone: "" } },
      { told: { subzone: "x" }, locality: { region: "", zone: "", subzone: "x" } },
      { told: { region: "" }, locality: nowhere },
      { told: { zone: "" }, locality: nowhere },
      { told: { subzone: "" }, locality: nowhere },
      {
        told: { region: "a", zone: "b", subzone: "c" },
        locality: { region: "a", zone: "b", subzone: "c" },
      },
    ];
    for (const { told, locality } of cases) {
      it(`told ${JSON.stringify(told)}: ${JSON.stringify(locality)}`, () => {
        const finder = createNodeFinder({ ...untold, ...told });
        assert.deepEqual(finder.place(there).locality, locality);
        assert.equal(finder.warning, undefined);
      });
    }
  });

  it("as its workloads say, if they all agree, healthy or not, whatever their network", () => {
    const unhealthy = on("n1", "a", "r/z/", { status: "Unhealthy", network: "elsewhere" });
    assert.deepEqual(createNodeFinder(untold).place(mesh(unhealthy)).locality, {
      region: "r",
      zone: "z",
      subzone: "",
    });
  });

  for (const differing of ["q/z/s", "r/y/s", "r/z/t", "r/z/", "//"]) {
    it(`nowhere, and a warning, if one of them says ${differing}`, () => {
      const finder = createNodeFinder(untold);
      const { locality } = finder.place(mesh(on("n1", "a", "r/z/s"), on("n1", "b", differing)));
      assert.deepEqual(locality, nowhere);
      assert.match(finder.warning!, /workloads on node n1 do not agree/);
      assert.ok(
        finder.warning!.includes(differing) && finder.warning!.includes("r/z/s"),
        `${finder.warning}`,
      );
    });
  }

  it("no warning about other nodes' workloads, or where it was told", () => {
    const quarrel = mesh(on("n2", "a", "r/z/s"), on("n2", "b", "r/y/s"));
    for (const options of [untold, { ...untold, node: "n2", zone: "z" }]) {
      const finder = createNodeFinder(options);
      finder.place(quarrel);
      assert.equal(finder.warning, undefined);
    }
  });

  it("nowhere where no workload runs on it, or the node has no name", () => {
    assert.deepEqual(createNodeFinder({ ...untold, node: "n3" }).place(there).locality, nowhere);
    const unnamed = mesh(on("", "a", "r/z/s"));
    assert.deepEqual(createNodeFinder({ ...untold, node: "" }).place(unnamed).locality, nowhere);
  });

  it("follows its workloads, and is the same object while it is the same place", () => {
    const finder = createNodeFinder(untold);
    const first = finder.place(emptySnapshot());
    assert.deepEqual(first.locality, nowhere);
    assert.equal(finder.place(mesh(on("n2", "x", "r/z/s"))), first);

    const one = mesh(on("n1", "a", "r/z/s"));
    const known = finder.place(one);
    assert.deepEqual(known.locality, { region: "r", zone: "z", subzone: "s" });
    const more = editSnapshot(one, { upsertWorkloads: [on("n1", "b", "r/z/s"), on("n2", "c", "q/y/t")] });
    assert.equal(finder.place(more), known);

    const quarrel = editSnapshot(more, { upsertWorkloads: [on("n1", "b", "r/y/s")] });
    assert.deepEqual(finder.place(quarrel).locality, nowhere);
    assert.notEqual(finder.warning, undefined);

    const moved = finder.place(editSnapshot(quarrel, { removeWorkloads: ["a"] }));
    assert.deepEqual(moved.locality, { region: "r", zone: "y", subzone: "s" });
    assert.equal(finder.warning, undefined);
    assert.deepEqual([known.locality, first.locality], [{ region: "r", zone: "z", subzone: "s" }, nowhere]);

    assert.deepEqual(finder.place(emptySnapshot()).locality, nowhere);
  });

  it("follows a workload that comes to it, and one that leaves for another", () => {
    const finder = createNodeFinder(untold);
    const elsewhere = mesh(on("n2", "a", "r/z/s"), on("n1", "b", "q/y/t"));
    assert.deepEqual(finder.place(elsewhere).locality, { region: "q", zone: "y", subzone: "t" });
    const both = editSnapshot(elsewhere, { upsertWorkloads: [on("n1", "a", "r/z/s")] });
    assert.deepEqual(finder.place(both).locality, nowhere);
    const left = editSnapshot(both, { upsertWorkloads: [on("n2", "b", "q/y/t")] });
    assert.deepEqual(finder.place(left).locality, { region: "r", zone: "z", subzone: "s" });
  });

  it("learns of a first mesh bit by bit, and knows it then", () => {
    const elsewhere = Array.from({ length: 1000 }, (_, i) => on("n2", `w${i}`, "q/y/t"));
    const finder = createNodeFinder(untold);
    const large = mesh(on("n1", "a", "r/z/s"), ...elsewhere);
    assert.ok([...finder.learn(large)].length >= 3);
    assert.deepEqual([...finder.learn(large)], [], "there is nothing left to learn");
    assert.deepEqual(finder.place(large).locality, { region: "r", zone: "z", subzone: "s" });
    const moved = editSnapshot(large, { upsertWorkloads: [on("n1", "a", "r/x/s")] });
    finish(finder.learn(moved));
    assert.deepEqual(finder.place(moved).locality, { region: "r", zone: "x", subzone: "s" });
  });

  it("is asked while it learns: what it is asked about counts", () => {
    const finder = createNodeFinder(untold);
    const elsewhere = Array.from({ length: 1000 }, (_, i) => on("n2", `w${i}`, "q/y/t"));
    const learning = finder.learn(mesh(on("n1", "a", "r/z/s"), ...elsewhere));
    learning.next();
    const newer = mesh(on("n1", "a", "r/x/s"), ...elsewhere);
    assert.equal(finder.place(newer).locality.zone, "x");
    finish(learning);
    assert.equal(finder.place(newer).locality.zone, "x");
  });

  for (let seed = 0; seed < 20; seed++) {
    it(`seed ${seed}: says of any snapshots in any order what one says that is asked about nothing else`, () => {
      const random = randomFrom(seed);
      const oneOf = (texts: readonly string[]) => texts[Math.floor(random() * texts.length)];
      const uids = ["a", "b", "c", "d"];
      const snapshots = [emptySnapshot()];
      for (let i = 0; i < 30; i++) {
        snapshots.push(editSnapshot(snapshots[i], {
          upsertWorkloads: [
            on(oneOf(["n1", "n1", "n2", ""]), oneOf(uids), oneOf(["r/z/s", "r/z/s", "r/y/s"])),
          ],
          removeWorkloads: [oneOf(uids)],
        }));
      }
      const finder = createNodeFinder(untold);
      for (let i = 0; i < 60; i++) {
        const snapshot = snapshots[Math.floor(random() * snapshots.length)];
        const fresh = createNodeFinder(untold);
        if (random() < 0.3) finish(finder.learn(snapshot));
        assert.deepEqual(finder.place(snapshot), fresh.place(snapshot));
        assert.equal(finder.warning, fresh.warning);
      }
    });
  }
});
