/** The flush controller while all goes well: what it flushes, and how it ends. */

import { beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { compileService } from "../../src/dataplane/mod.ts";
import { editSnapshot, emptySnapshot } from "../../src/mesh/mod.ts";
import {
  change,
  type ControllerWorld,
  createControllerWorld,
  kernelRefuses,
  mesh,
  node,
} from "./_controller_world.ts";
import { turn } from "./_datapath_calls.ts";
import { workload } from "./_mesh.ts";

describe("the flush controller", () => {
  let world: ControllerWorld;

  beforeEach(() => {
    world = createControllerWorld();
  });

  describe("flushes", () => {
    it("every service at first, and then what has changed, compiled for this node", async () => {
      const one = mesh(["shop/a", "shop/b", "shop/c"]);
      world.controller.submit(one);
      assert.deepEqual(
        new Map(world.calls[0].changes),
        new Map([...one.services.keys()].map((key) => [key, compileService(one, key, node)])),
      );
      await world.calls[0].end();
      const two = editSnapshot(change(one, "shop/b", 81), { removeServices: ["shop/c"] });
      world.controller.submit(two);
      assert.deepEqual(
        new Map(world.calls[1].changes),
        new Map([["shop/b", compileService(two, "shop/b", node)], ["shop/c", undefined]]),
      );
      await world.calls[1].end();
      assert.deepEqual(world.names(), ["flush", "flush"]);
    });

    it("an empty mesh too: only then may something be attached", async () => {
      const empty = emptySnapshot();
      world.controller.submit(empty);
      assert.equal(world.controller.state.firstFlushDone, false);
      await world.calls[0].end();
      assert.deepEqual(world.calls[0].changes, []);
      assert.equal(world.controller.state.firstFlushDone, true);
      assert.equal(world.controller.state.flushes, 1);
    });

    it("what came meanwhile as one", async () => {
      const one = mesh(["shop/a", "shop/b", "shop/c"]);
      world.controller.submit(one);
      let newest = one;
      for (const [key, port] of [["shop/a", 81], ["shop/b", 82], ["shop/a", 83]] as const) {
        world.controller.submit(newest = change(newest, key, port));
      }
      await turn();
      assert.equal(world.calls.length, 1);
      assert.equal(world.controller.state.applied.services.size, 0);
      await world.calls[0].end();
      assert.equal(world.controller.state.applied, one);
      assert.equal(world.calls.length, 2);
      assert.deepEqual(
        new Map(world.calls[1].changes),
        new Map(["shop/a", "shop/b"].map((key) => [key, compileService(newest, key, node)])),
      );
      await world.calls[1].end();
      assert.equal(world.controller.state.applied, newest);
      assert.equal(world.calls.length, 2);
    });

    it("what comes in one turn of the event loop as two at most, though the kernel takes it at once", async () => {
      const one = mesh(["shop/a"]);
      await world.apply(one);
      const before = world.calls.length;
      let newest = one;
      const source = (async () => {
        for (let port = 81; port < 181; port++) {
          world.controller.submit(newest = change(newest, "shop/a", port));
          // The flush ends now, and what waits for it runs, all in this turn.
          for (const call of world.calls.slice(before)) void call.end();
          for (let i = 0; i < 20; i++) await Promise.resolve();
        }
      })();
      await source;
      assert.equal(world.calls.length, before + 1);
      await turn();
      await world.last().end();
      assert.equal(world.calls.length, before + 2);
      assert.equal(world.controller.state.applied, newest);
    });

    it("nothing twice", async () => {
      const one = mesh(["shop/a"]);
      world.controller.submit(one);
      world.controller.submit(one);
      await world.calls[0].end();
      world.controller.submit(one);
      await turn();
      assert.equal(world.calls.length, 1);
      assert.deepEqual(world.clock.waiting, []);
    });

    it("and tells of it: the first one, and what it did", async () => {
      const one = mesh(["shop/a", "shop/b"]);
      await world.apply(one);
      assert.deepEqual(world.flushed.map(({ report, first }) => [report.services, first]), [[2, true]]);
      assert.equal(world.controller.state.lastFlush?.services, 2);
      await world.apply(change(one, "shop/a", 81));
      assert.deepEqual(world.flushed.map(({ report, first }) => [report.services, first]), [[2, true], [
        1,
        false,
      ]]);
      assert.equal(world.controller.state.lastFlush?.services, 1);
      assert.equal(world.controller.state.flushes, 2);
    });

    it("without counting a snapshot that concerns no service", async () => {
      const one = mesh(["shop/a"]);
      await world.apply(one);
      await world.apply(editSnapshot(one, { upsertWorkloads: [workload("alone", [])] }));
      assert.equal(world.controller.state.flushes, 1);
      assert.equal(world.controller.state.lastFlush?.services, 1);
    });
  });

  describe("stop", () => {
    const one = mesh(["shop/a"]);
    const two = change(one, "shop/a", 81);

    it("lets a running flush and what it left to do end, and starts no other", async () => {
      world.controller.submit(one);
      world.controller.submit(two);
      let stopped = false;
      const stop = world.controller.stop().then(() => stopped = true);
      await turn();
      assert.deepEqual(world.names(), ["flush"]);
      await world.calls[0].end();
      assert.equal(world.controller.state.applied, one);
      assert.deepEqual(world.names(), ["flush", "settle"]);
      assert.equal(stopped, false);
      await world.last().end();
      await stop;
      world.controller.submit(two);
      await turn();
      assert.deepEqual(world.names(), ["flush", "settle"]);
    });

    it("lets a flush that fails be the last one, and leaves no timer", async () => {
      world.controller.submit(one);
      const stop = world.controller.stop();
      await world.calls[0].fail(kernelRefuses);
      assert.deepEqual(world.clock.waiting, []);
      assert.deepEqual(world.errors.map(({ retryInMs }) => retryInMs), [undefined]);
      await world.last().end();
      await stop;
      assert.deepEqual(world.names(), ["flush", "settle"]);
    });

    it("gives up waiting to try again", async () => {
      world.controller.submit(one);
      await world.calls[0].fail(kernelRefuses);
      const stop = world.controller.stop();
      assert.deepEqual(world.clock.waiting, []);
      await turn();
      await world.last().end();
      await stop;
      assert.deepEqual(world.names(), ["flush", "settle"]);
    });

    it("throws what is left undone", async () => {
      const stop = world.controller.stop();
      const thrown = assert.rejects(stop, /not freed/);
      await turn();
      await world.last().fail(new Error("not freed"));
      await thrown;
    });
  });

  describe("idle", () => {
    const one = mesh(["shop/a"]);

    /** Whether `idle()` has resolved by now. */
    async function isIdle(): Promise<boolean> {
      let idle = false;
      world.controller.idle().then(() => idle = true);
      await turn();
      return idle;
    }

    it("waits for all that was handed in", async () => {
      assert.equal(await isIdle(), true);
      world.controller.submit(one);
      assert.equal(await isIdle(), false);
      world.controller.submit(change(one, "shop/a", 81));
      await world.calls[0].end();
      assert.equal(await isIdle(), false);
      await world.calls[1].end();
      assert.equal(await isIdle(), true);
    });

    it("waits for what is handed in while somebody waits already", async () => {
      let idle = false;
      world.controller.submit(one);
      const waiting = world.controller.idle().then(() => idle = true);
      world.controller.submit(change(one, "shop/a", 81));
      await world.calls[0].end();
      assert.equal(idle, false);
      await world.calls[1].end();
      await waiting;
    });

    it("does not wait for another attempt", async () => {
      world.controller.submit(one);
      await world.calls[0].fail(kernelRefuses);
      assert.equal(await isIdle(), true);
      assert.deepEqual(world.clock.waiting, [1000]);
      world.clock.pass(1000);
      assert.equal(await isIdle(), false);
      await world.last().end();
      assert.equal(await isIdle(), true);
    });
  });
});
