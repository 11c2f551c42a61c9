/** The flush controller when a flush fails, or the kernel does not hold what it should. */

import { beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { compileService, KernelStateUnknown } from "../../src/dataplane/mod.ts";
import { editSnapshot } from "../../src/mesh/mod.ts";
import {
  change,
  type ControllerWorld,
  createControllerWorld,
  kernelRefuses,
  keysOf,
  mesh,
  node,
} from "./_controller_world.ts";
import { type Call, turn } from "./_datapath_calls.ts";

describe("the flush controller, when the kernel does not hold what it should", () => {
  let world: ControllerWorld;

  beforeEach(() => {
    world = createControllerWorld();
  });

  describe("a flush that fails", () => {
    const one = mesh(["shop/a"]);

    it("is tried again after 1 s, then twice as long each time up to 30 s", async () => {
      world.controller.submit(one);
      for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
        const count = world.calls.length;
        await world.last().fail(kernelRefuses);
        assert.deepEqual(world.clock.waiting, [seconds * 1000]);
        assert.equal(world.errors.at(-1)?.retryInMs, seconds * 1000);
        world.clock.pass(seconds * 1000 - 1);
        assert.equal(world.calls.length, count);
        world.clock.pass(1);
        assert.equal(world.calls.length, count + 1);
        assert.deepEqual(keysOf(world.last()), ["shop/a"]);
      }
      await world.last().end();
      assert.equal(world.controller.state.applied, one);
      assert.deepEqual(world.clock.waiting, []);
      world.controller.submit(change(one, "shop/a", 81));
      await world.last().fail(kernelRefuses);
      assert.deepEqual(world.clock.waiting, [1000]);
    });

    it("is tried again where the time for that comes while the event loop has not turned since", async () => {
      world.controller.submit(one);
      const failed = world.last().fail(kernelRefuses);
      for (let i = 0; i < 20; i++) await Promise.resolve();
      assert.deepEqual(world.clock.waiting, [1000]);
      world.clock.pass(1000);
      await failed;
      assert.equal(world.calls.length, 2);
      await world.last().end();
      assert.equal(world.controller.state.applied, one);
    });

    it("is told in the state until it succeeds: which services, and why", async () => {
      await world.apply(one);
      const two = change(one, "shop/a", 81);
      world.controller.submit(two);
      await world.last().fail(kernelRefuses);
      const error = "flush of shop/a failed, the kernel serves what it served before: the kernel refuses";
      assert.equal(world.controller.state.error, error);
      assert.deepEqual(world.errors, [{ message: error, retryInMs: 1000 }]);
      assert.equal(world.controller.state.applied, one);
      assert.equal(world.controller.state.firstFlushDone, true);
      assert.equal(world.flushed.length, 1);
      world.clock.pass(1000);
      assert.equal(world.controller.state.error, error);
      await world.last().end();
      assert.equal(world.controller.state.error, undefined);
      assert.equal(world.controller.state.applied, two);
    });

    it("is forgotten once it succeeded, though a newer one is under way", async () => {
      world.controller.submit(one);
      await world.last().fail(kernelRefuses);
      world.clock.pass(1000);
      world.controller.submit(change(one, "shop/a", 81));
      assert.notEqual(world.controller.state.error, undefined);
      await world.last().end();
      assert.equal(world.controller.state.error, undefined);
      await world.last().fail(kernelRefuses);
      assert.deepEqual(world.clock.waiting, [1000]);
    });

    it("is told by three names where it is of more", async () => {
      world.controller.submit(mesh(["shop/a", "shop/b", "shop/c", "shop/d", "shop/e"]));
      await world.last().fail(kernelRefuses);
      assert.match(world.controller.state.error!, /^flush of shop\/., shop\/., shop\/. and 2 more failed, /);
    });

    it("is not tried again as it was where a newer one comes: that is tried at once", async () => {
      await world.apply(one);
      world.controller.submit(change(one, "shop/a", 81));
      await world.last().fail(kernelRefuses);
      const count = world.calls.length;
      const newer = change(one, "shop/a", 82);
      world.controller.submit(newer);
      assert.equal(world.calls.length, count + 1);
      assert.deepEqual(world.last().changes, [["shop/a", compileService(newer, "shop/a", node)]]);
      assert.deepEqual(world.clock.waiting, []);
      await world.last().end();
      assert.equal(world.controller.state.error, undefined);
      world.clock.pass(60_000);
      assert.equal(world.calls.length, count + 1);
    });

    it("gives way at once to what came meanwhile", async () => {
      world.controller.submit(one);
      const newer = change(one, "shop/a", 82);
      world.controller.submit(newer);
      await world.last().fail(kernelRefuses);
      assert.equal(world.calls.length, 2);
      assert.deepEqual(world.last().changes, [["shop/a", compileService(newer, "shop/a", node)]]);
      await world.last().end();
      assert.equal(world.controller.state.applied, newer);
      assert.deepEqual(world.clock.waiting, []);
    });

    it("is tried again at once where it is handed in again", async () => {
      world.controller.submit(one);
      await world.last().fail(kernelRefuses);
      world.controller.submit(one);
      assert.equal(world.calls.length, 2);
      assert.deepEqual(world.clock.waiting, []);
    });

    it("is forgotten once the kernel holds what is wanted, without another flush", async () => {
      await world.apply(one);
      world.controller.submit(change(one, "shop/a", 81));
      await world.last().fail(kernelRefuses);
      const count = world.calls.length;
      world.controller.submit(one);
      await turn();
      assert.equal(world.controller.state.error, undefined);
      assert.equal(world.calls.length, count);
      assert.deepEqual(world.clock.waiting, []);
      // The same while the one that fails is under way.
      world.controller.submit(change(one, "shop/a", 82));
      world.controller.submit(one);
      await world.last().fail(kernelRefuses);
      assert.equal(world.controller.state.error, undefined);
      assert.equal(world.calls.length, count + 1);
      assert.deepEqual(world.clock.waiting, []);
    });
  });

  describe("a flush that could be neither finished nor undone", () => {
    const one = mesh(["shop/a", "shop/b"]);
    const two = change(one, "shop/a", 81);
    const unknown = new KernelStateUnknown("undoing failed");

    it("leads to reading the kernel back and to a flush of every service", async () => {
      await world.apply(one);
      world.controller.submit(two);
      await world.last().fail(unknown);
      assert.equal(world.controller.state.firstFlushDone, false);
      assert.equal(
        world.controller.state.error,
        "flush of shop/a failed, what the kernel serves is not known until it has been read back: undoing failed",
      );
      world.clock.pass(1000);
      assert.deepEqual(world.names(), ["flush", "flush", "reread"]);
      await world.last().end();
      assert.deepEqual(world.names(), ["flush", "flush", "reread", "flush"]);
      assert.deepEqual(keysOf(world.last()), ["shop/a", "shop/b"]);
      await world.last().end();
      assert.equal(world.controller.state.firstFlushDone, true);
      assert.equal(world.controller.state.applied, two);
      assert.equal(world.controller.state.error, undefined);
      assert.deepEqual(world.flushed.map(({ first }) => first), [true, false]);
      world.controller.submit(change(two, "shop/b", 82));
      assert.deepEqual(world.names().slice(4), ["flush"]);
      assert.deepEqual(keysOf(world.last()), ["shop/b"]);
    });

    it("is not flushed over before the kernel has been read back", async () => {
      await world.apply(one);
      world.controller.submit(two);
      await world.last().fail(unknown);
      world.clock.pass(1000);
      await world.last().fail(new Error("no more files"));
      assert.match(
        world.controller.state.error!,
        /^flush of .*not known until it has been read back: no more files$/,
      );
      world.controller.submit(change(two, "shop/b", 82));
      assert.deepEqual(world.names().slice(2), ["reread", "reread"]);
      await world.last().end();
      assert.deepEqual(keysOf(world.last()), ["shop/a", "shop/b"]);
    });

    it("is read back once, and every service is named until a flush succeeds", async () => {
      await world.apply(one);
      world.controller.submit(two);
      await world.last().fail(unknown);
      world.clock.pass(1000);
      await world.last().end();
      await world.last().fail(kernelRefuses);
      assert.match(
        world.controller.state.error!,
        /the kernel serves what it served before: the kernel refuses$/,
      );
      world.clock.pass(2000);
      assert.deepEqual(world.names().slice(2), ["reread", "flush", "flush"]);
      assert.deepEqual(keysOf(world.last()), ["shop/a", "shop/b"]);
    });

    it("is flushed over with the snapshot that was the newest before reading back", async () => {
      await world.apply(one);
      world.controller.submit(two);
      await world.last().fail(unknown);
      world.clock.pass(1000);
      world.controller.submit(editSnapshot(two, { removeServices: ["shop/b"] }));
      await world.last().end();
      const all = ["shop/a", "shop/b"];
      assert.deepEqual(
        new Map(world.last().changes),
        new Map(all.map((key) => [key, compileService(two, key, node)])),
      );
      await world.last().end();
      assert.deepEqual(world.last().changes, [["shop/b", undefined]]);
    });

    it("leads back even to what the kernel held before", async () => {
      await world.apply(one);
      world.controller.submit(two);
      await world.last().fail(unknown);
      world.controller.submit(one);
      await world.last().end();
      assert.deepEqual(world.names().slice(2), ["reread", "flush"]);
      await world.last().end();
      assert.equal(world.controller.state.firstFlushDone, true);
      assert.equal(world.controller.state.error, undefined);
    });
  });

  describe("repair", () => {
    const one = mesh(["shop/a", "shop/b"]);
    const two = change(one, "shop/a", 81);

    it("reads the kernel back and flushes every service, though nothing has changed", async () => {
      await world.apply(one);
      world.controller.repair();
      assert.deepEqual(world.names(), ["flush", "reread"]);
      assert.equal(world.controller.state.firstFlushDone, false);
      await world.last().end();
      assert.deepEqual(world.names(), ["flush", "reread", "flush"]);
      assert.deepEqual(keysOf(world.last()), ["shop/a", "shop/b"]);
      await world.last().end();
      assert.equal(world.controller.state.firstFlushDone, true);
      assert.equal(world.controller.state.applied, one);
      assert.deepEqual(world.flushed.map(({ first }) => first), [true, false]);
      await turn();
      assert.equal(world.calls.length, 3);
      world.controller.submit(two);
      assert.deepEqual(world.names().slice(3), ["flush"]);
      assert.deepEqual(keysOf(world.last()), ["shop/a"]);
    });

    it("waits for a flush that runs, whether it succeeds or not", async () => {
      await world.apply(one);
      for (const end of [(call: Call) => call.end(), (call: Call) => call.fail(kernelRefuses)]) {
        const before = world.calls.length;
        world.controller.submit(change(one, "shop/a", 1000 + before));
        world.controller.repair();
        await turn();
        assert.deepEqual(world.names().slice(before), ["flush"]);
        await end(world.last());
        assert.deepEqual(world.names().slice(before), ["flush", "reread"]);
        await world.last().end();
        assert.deepEqual(world.names().slice(before), ["flush", "reread", "flush"]);
        assert.deepEqual(keysOf(world.last()), ["shop/a", "shop/b"]);
        await world.last().end();
        assert.equal(world.controller.state.firstFlushDone, true);
        assert.equal(world.controller.state.error, undefined);
        assert.deepEqual(world.clock.waiting, []);
        assert.equal(world.calls.length, before + 3);
      }
    });

    it("is done once for all who asked meanwhile, and again for who asks later", async () => {
      await world.apply(one);
      world.controller.submit(two);
      world.controller.repair();
      world.controller.repair();
      await world.last().end();
      await world.last().end();
      await world.last().end();
      assert.deepEqual(world.names(), ["flush", "flush", "reread", "flush"]);
      world.controller.repair();
      world.controller.repair();
      await world.last().end();
      await world.last().end();
      // The second asked once the first was under way.
      assert.deepEqual(world.names().slice(4), ["reread", "flush", "reread"]);
      await world.last().end();
      await world.last().end();
      await turn();
      assert.deepEqual(world.names().slice(4), ["reread", "flush", "reread", "flush"]);
      assert.equal(world.controller.state.firstFlushDone, true);
    });

    it("flushes what is newest then", async () => {
      await world.apply(one);
      world.controller.repair();
      world.controller.submit(two);
      await world.last().end();
      await world.last().end();
      assert.deepEqual(world.names(), ["flush", "reread", "flush", "flush"]);
      assert.deepEqual(keysOf(world.last()), ["shop/a"]);
      await world.last().end();
      assert.equal(world.controller.state.applied, two);
    });

    it("is tried again where the kernel cannot be read", async () => {
      await world.apply(one);
      world.controller.repair();
      await world.last().fail(new Error("no more files"));
      assert.match(world.controller.state.error!, /not known until it has been read back: no more files$/);
      assert.deepEqual(world.clock.waiting, [1000]);
      world.clock.pass(1000);
      assert.deepEqual(world.names(), ["flush", "reread", "reread"]);
      await world.last().end();
      assert.deepEqual(keysOf(world.last()), ["shop/a", "shop/b"]);
      await world.last().fail(kernelRefuses);
      assert.match(
        world.controller.state.error!,
        /the kernel serves what it served before: the kernel refuses$/,
      );
      world.clock.pass(2000);
      assert.deepEqual(world.names().slice(3), ["flush", "flush"]);
      assert.deepEqual(keysOf(world.last()), ["shop/a", "shop/b"]);
      await world.last().end();
      assert.equal(world.controller.state.error, undefined);
      assert.equal(world.controller.state.firstFlushDone, true);
    });

    it("waits for the first snapshot, and is not begun once stopped", async () => {
      world.controller.repair();
      await turn();
      assert.deepEqual(world.names(), []);
      world.controller.submit(one);
      assert.deepEqual(world.names(), ["reread"]);
      await world.last().end();
      await world.last().end();
      const stop = world.controller.stop();
      world.controller.repair();
      await turn();
      assert.deepEqual(world.names(), ["reread", "flush", "settle"]);
      await world.last().end();
      await stop;
    });
  });
});
