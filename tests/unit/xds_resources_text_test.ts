import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type ResourcesOf, resourcesText } from "../../src/xds/mod.ts";

const receivedAt = new Date("2026-01-02T03:04:05Z");

const resource = (name: string, json: () => unknown = () => ({ name })) => ({
  ...{ name, version: `v-${name}`, receivedAt, json },
});

/** One collection by name, and one that is a list. */
const of: ResourcesOf = {
  collections: [
    { name: "workloads", shape: "by name", size: 2, resources: () => [resource("a/b"), resource('"')] },
    { name: "clusters", shape: "list", size: 1, resources: () => [resource("c")] },
    { name: "routes", shape: "list", size: 0, resources: () => [] },
  ],
  extras: { connected: true },
  rejections: [{ typeUrl: "t", name: "bad", version: "2", reason: "why", at: receivedAt }],
};

async function read(of: ResourcesOf, only?: string) {
  return JSON.parse((await Array.fromAsync(resourcesText(of, only))).join(""));
}

describe("weft resources: the text", () => {
  const meta = (name: string) => ({ version: `v-${name}`, receivedAt: "2026-01-02T03:04:05.000Z" });
  const rejected = [{
    typeUrl: "t",
    name: "bad",
    version: "2",
    reason: "why",
    at: "2026-01-02T03:04:05.000Z",
  }];

  it("has each collection, the extras, versions and times, and what was refused", async () => {
    assert.deepEqual(await read(of), {
      workloads: { "a/b": { name: "a/b" }, '"': { name: '"' } },
      clusters: [{ name: "c" }],
      routes: [],
      connected: true,
      meta: { workloads: { "a/b": meta("a/b"), '"': meta('"') }, clusters: { c: meta("c") }, routes: {} },
      rejected,
    });
  });

  it("has one collection alone where only that is wanted", async () => {
    assert.deepEqual(await read(of, "clusters"), {
      clusters: [{ name: "c" }],
      meta: { clusters: { c: meta("c") } },
      rejected,
    });
  });

  it("says so of a resource that cannot be shown, and shows the others", async () => {
    const broken = resource("x", () => {
      throw new Error("cut off");
    });
    const { workloads } = await read({
      ...of,
      collections: [{
        name: "workloads",
        shape: "by name",
        size: 2,
        resources: () => [broken, resource("y")],
      }],
    });
    assert.deepEqual(workloads, { x: { unreadable: "cut off" }, y: { name: "y" } });
  });

  it("comes in pieces, and lets others have their turn in between", async () => {
    const many = Array.from({ length: 50_000 }, (_, i) => resource(`resource-${i}`));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const all = await read({
      ...of,
      collections: [{ name: "workloads", shape: "by name", size: many.length, resources: () => many }],
    });
    clearInterval(timer);
    assert.equal(Object.keys(all.workloads).length, many.length);
    assert.ok(turns >= 3, `${turns} turns`);
  });
});
