/** The flush controller when the node's place changes, and when snapshots come in one turn. */

import { beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { compileService, type Controller, createController } from "../../src/dataplane/mod.ts";
import { createNodeFinder, type NodeFinder } from "../../src/locality/mod.ts";
import {
  editSnapshot,
  emptySnapshot,
  type LoadBalancer,
  type Service,
  type Snapshot,
  type Workload,
} from "../../src/mesh/mod.ts";
import { createClock } from "./_clock.ts";
import { type Call, recordCalls, turn } from "./_datapath_calls.ts";
import { service, workload } from "./_mesh.ts";

function balanced(mode: LoadBalancer["mode"]): Partial<Service> {
  return { loadBalancer: { mode, routingPreferences: ["Zone"], healthPolicy: "OnlyHealthy" } };
}

const services = [
  service("shop/plain", ["10.96.0.1"]),
  service("shop/standard", ["10.96.0.2"], balanced("Standard")),
  service("shop/passthrough", ["10.96.0.3"], balanced("Passthrough")),
  service("shop/strict", ["10.96.0.4"], balanced("Strict")),
  service("shop/failover", ["10.96.0.5"], balanced("Failover")),
];
const all = services.map(({ hostname }) => `shop/${hostname}`);

/** What runs on this node and says where it is. */
function here(zone: string, uid = "here"): Workload {
  return workload(uid, [], { node: "n1", locality: { region: "r", zone, subzone: "" } });
}

const backend = workload("backend", all, { node: "n2", locality: { region: "r", zone: "z", subzone: "" } });

describe("the flush controller and the node's place", () => {
  let calls: Call[];
  let controller: Controller;
  let node: NodeFinder;

  beforeEach(() => {
    calls = [];
    const untold = { region: undefined, zone: undefined, subzone: undefined };
    node = createNodeFinder({ network: "", node: "n1", clusterId: "", ...untold });
    controller = createController({
      datapath: recordCalls(calls),
      node: (snapshot) => node.place(snapshot),
      learn: (snapshot) => node.learn(snapshot),
      onFlush: () => {},
      onError: () => {},
      later: createClock().later,
    });
  });

  const last = () => calls[calls.length - 1];
  const keysOf = (call: Call) => call.changes.map(([key]) => key).sort();

  /** Does what makes it flush, and waits until it does: it compiles in slices. */
  async function begin(action: () => void): Promise<Call> {
    const before = calls.length;
    action();
    while (calls.length === before) await turn();
    return last();
  }

  /** Hands in a snapshot that the kernel takes. @returns the services that it flushed */
  async function apply(snapshot: Snapshot): Promise<string[]> {
    const before = calls.length;
    await (await begin(() => controller.submit(snapshot))).end();
    assert.equal(calls.length, before + 1);
    assert.equal(controller.state.applied, snapshot);
    return keysOf(last());
  }

  const base = editSnapshot(emptySnapshot(), { upsertServices: services, upsertWorkloads: [backend] });
  const edit = (snapshot: Snapshot, ...upsertWorkloads: Workload[]) =>
    editSnapshot(snapshot, { upsertWorkloads });

  it("flushes every service that ranks, and no other, when the place becomes known, changes or is lost", async () => {
    await apply(base);
    const known = edit(base, here("z"));
    assert.deepEqual(await apply(known), ["shop/failover", "shop/strict"]);
    assert.deepEqual(controller.state.place, node.place(known));
    assert.deepEqual(
      new Map(last().changes),
      new Map(
        ["shop/failover", "shop/strict"].map((key) => [key, compileService(known, key, node.place(known))]),
      ),
    );
    const moved = edit(known, here("y"));
    assert.deepEqual(await apply(moved), ["shop/failover", "shop/strict"]);
    const quarrel = edit(moved, here("z", "other"));
    assert.deepEqual(await apply(quarrel), ["shop/failover", "shop/strict"]);
    assert.equal(controller.state.place?.locality.zone, "");
  });

  it("learns of a snapshot, in slices, before it asks for the place", async () => {
    const said: string[] = [];
    const slow = createController({
      datapath: recordCalls(calls),
      *learn() {
        for (let step = 0; step < 3; step++) {
          said.push("step");
          yield;
        }
      },
      slices: () => () => Promise.resolve(void said.push("pause")),
      node: (snapshot) => {
        said.push("place");
        return node.place(snapshot);
      },
      onFlush: () => {},
      onError: () => {},
    });
    const before = calls.length;
    slow.submit(base);
    while (calls.length === before) await turn();
    assert.deepEqual(said, ["step", "pause", "step", "pause", "step", "pause", "place"]);
    await last().end();
    await slow.idle();
    assert.equal(slow.state.applied, base);
  });

  it("flushes nothing more when it is stopped while it learns", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = createController({
      datapath: recordCalls(calls),
      *learn() {
        yield;
      },
      slices: () => () => promise,
      node: (snapshot) => node.place(snapshot),
      onFlush: () => {},
      onError: () => {},
    });
    const before = calls.length;
    slow.submit(base);
    await turn();
    const stopped = slow.stop();
    resolve();
    await turn();
    await last().end();
    await stopped;
    assert.deepEqual(calls.slice(before).map(({ name }) => name), ["settle"]);
  });

  it("flushes nothing where the place stays the same", async () => {
    const known = edit(base, here("z"));
    await apply(known);
    assert.deepEqual(await apply(edit(known, here("z", "other"))), []);
    assert.deepEqual(await apply(edit(known, workload("elsewhere", [], { node: "n2" }))), []);
  });

  it("flushes the services of which endpoints are set aside, or no longer, and no other", async () => {
    await apply(base);
    const aside = new Map([["shop/plain", new Map([["shop/plain|80|4|backend|10.0.0.1|8080", "backend"]])]]);
    await (await begin(() => controller.setAside(aside))).end();
    assert.deepEqual(keysOf(last()), ["shop/plain"]);
    assert.equal(controller.state.aside, aside);
    const before = calls.length;
    controller.setAside(aside);
    await turn();
    assert.equal(calls.length, before);
    await begin(() => controller.setAside(new Map()));
    assert.deepEqual(keysOf(last()), ["shop/plain"]);
    await last().fail(new Error("the kernel refuses"));
    assert.equal(controller.state.aside, aside);
    controller.setAside(aside);
    await turn();
    assert.equal(calls.length, before + 1);
    assert.equal(controller.state.error, undefined);
  });

  it("takes a snapshot and what is set aside in it at once", async () => {
    await apply(base);
    const aside = new Map([["shop/plain", new Map([["shop/plain|80|4|backend|10.0.0.1|8080", "backend"]])]]);
    const before = calls.length;
    const next = edit(base, { ...backend, capacity: 5 });
    await (await begin(() => controller.submit(next, aside))).end();
    assert.deepEqual([calls.length, controller.state.applied, controller.state.aside], [
      before + 1,
      next,
      aside,
    ]);
    // What is not said stays.
    await (await begin(() => controller.submit(base))).end();
    assert.equal(controller.state.aside, aside);
  });

  it("flushes what changed besides, once", async () => {
    await apply(base);
    const both = edit(base, here("z"), { ...backend, capacity: 5 });
    assert.deepEqual(await apply(both), [...all].sort());
  });

  it("goes on from the place of the last flush that succeeded", async () => {
    await apply(base);
    const place = controller.state.place;
    const known = edit(base, here("z"));
    await (await begin(() => controller.submit(known))).fail(new Error("the kernel refuses"));
    assert.equal(controller.state.place, place);
    const moved = edit(known, here("y"));
    assert.deepEqual(await apply(moved), ["shop/failover", "shop/strict"]);
    await (await begin(() => controller.submit(edit(moved, here("z"))))).fail(
      new Error("the kernel refuses"),
    );
    // Back where it was: what the kernel holds is ranked for that.
    const before = calls.length;
    controller.submit(moved);
    await turn();
    assert.equal(calls.length, before);
    assert.equal(controller.state.error, undefined);
  });

  it("flushes what is handed in in the very turn in which it finds nothing to do", async () => {
    await apply(base);
    const known = edit(base, here("z"));
    controller.submit(base);
    controller.submit(known);
    await turn();
    assert.deepEqual(keysOf(last()), ["shop/failover", "shop/strict"]);
    await last().end();
    assert.equal(controller.state.applied, known);
  });

  it("flushes what is handed in while somebody who waited goes on", async () => {
    const first = await begin(() => controller.submit(base));
    const known = edit(base, here("z"));
    const waited = controller.idle().then(() => controller.submit(known));
    await begin(() => void first.end());
    await waited;
    assert.deepEqual(keysOf(last()), ["shop/failover", "shop/strict"]);
  });
});
