import { beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { placeOn } from "../../src/locality/mod.ts";
import {
  compileService,
  type Controller,
  createController,
  type FlushReport,
  KernelStateUnknown,
} from "../../src/dataplane/mod.ts";
import {
  editSnapshot,
  emptySnapshot,
  type Service,
  type ServiceKey,
  type Snapshot,
} from "../../src/mesh/mod.ts";
import { type Clock, createClock } from "./_clock.ts";
import { type Call, recordCalls, turn } from "./_datapath_calls.ts";
import { service, workload } from "./_mesh.ts";

const node = placeOn("");
const kernelRefuses = new Error("the kernel refuses");

/** A service of this node's network with one VIP and one port. */
function serviceOn(key: ServiceKey, port: number): Service {
  const vip = { network: node.network, address: `10.96.0.${key.charCodeAt(key.length - 1)}` };
  return service(key, [], { vips: [vip], ports: new Map([[port, port]]) });
}

/** A mesh with these services, each with one workload of its own. */
function mesh(keys: readonly ServiceKey[]): Snapshot {
  return editSnapshot(emptySnapshot(), {
    upsertServices: keys.map((key) => serviceOn(key, 80)),
    upsertWorkloads: keys.map((key) => workload(`w-${key}`, [key], { network: node.network })),
  });
}

/** The same with another port of one service. */
function change(snapshot: Snapshot, key: ServiceKey, port: number): Snapshot {
  return editSnapshot(snapshot, { upsertServices: [serviceOn(key, port)] });
}

describe("the flush controller", () => {
  let clock: Clock;
  /** In the order in which they began. */
  let calls: Call[];
  let flushed: { readonly report: FlushReport; readonly first: boolean }[];
  let errors: { readonly message: string; readonly retryInMs: number | undefined }[];
  let controller: Controller;

  beforeEach(() => {
    clock = createClock();
    calls = [];
    flushed = [];
    errors = [];
    controller = createController({
      datapath: recordCalls(calls),
      node: () => node,
      onFlush: (report, first) => void flushed.push({ report, first }),
      onError: (message, retryInMs) => errors.push({ message, retryInMs }),
      later: clock.later,
    });
  });

  const names = () => calls.map((call) => call.name);
  const keysOf = (call: Call) => call.changes.map(([key]) => key).sort();
  const last = () => calls[calls.length - 1];

  /** Hands in a snapshot that the kernel takes. */
  async function apply(snapshot: Snapshot): Promise<void> {
    controller.submit(snapshot);
    await last().end();
    assert.equal(controller.state.applied, snapshot);
  }

  describe("flushes", () => {
    it("every service at first, and then what has changed, compiled for this node", async () => {
      const one = mesh(["shop/a", "shop/b", "shop/c"]);
      controller.submit(one);
      assert.deepEqual(
        new Map(calls[0].changes),
        new Map([...one.services.keys()].map((key) => [key, compileService(one, key, node)])),
      );
      await calls[0].end();
      const two = editSnapshot(change(one, "shop/b", 81), { removeServices: ["shop/c"] });
      controller.submit(two);
      assert.deepEqual(
        new Map(calls[1].changes),
        new Map([["shop/b", compileService(two, "shop/b", node)], ["shop/c", undefined]]),
      );
      await calls[1].end();
      assert.deepEqual(names(), ["flush", "flush"]);
    });

    it("an empty mesh too: only then may something be attached", async () => {
      const empty = emptySnapshot();
      controller.submit(empty);
      assert.equal(controller.state.firstFlushDone, false);
      await calls[0].end();
      assert.deepEqual(calls[0].changes, []);
      assert.equal(controller.state.firstFlushDone, true);
      assert.equal(controller.state.flushes, 1);
    });

    it("what came meanwhile as one", async () => {
      const one = mesh(["shop/a", "shop/b", "shop/c"]);
      controller.submit(one);
      let newest = one;
      for (const [key, port] of [["shop/a", 81], ["shop/b", 82], ["shop/a", 83]] as const) {
        controller.submit(newest = change(newest, key, port));
      }
      await turn();
      assert.equal(calls.length, 1);
      assert.equal(controller.state.applied.services.size, 0);
      await calls[0].end();
      assert.equal(controller.state.applied, one);
      assert.equal(calls.length, 2);
      assert.deepEqual(
        new Map(calls[1].changes),
        new Map(["shop/a", "shop/b"].map((key) => [key, compileService(newest, key, node)])),
      );
      await calls[1].end();
      assert.equal(controller.state.applied, newest);
      assert.equal(calls.length, 2);
    });

    it("what comes in one turn of the event loop as two at most, though the kernel takes it at once", async () => {
      const one = mesh(["shop/a"]);
      await apply(one);
      const before = calls.length;
      let newest = one;
      const source = (async () => {
        for (let port = 81; port < 181; port++) {
          controller.submit(newest = change(newest, "shop/a", port));
          // The flush ends now, and what waits for it runs, all in this turn.
          for (const call of calls.slice(before)) void call.end();
          for (let i = 0; i < 20; i++) await Promise.resolve();
        }
      })();
      await source;
      assert.equal(calls.length, before + 1);
      await turn();
      await last().end();
      assert.equal(calls.length, before + 2);
      assert.equal(controller.state.applied, newest);
    });

    it("nothing twice", async () => {
      const one = mesh(["shop/a"]);
      controller.submit(one);
      controller.submit(one);
      await calls[0].end();
      controller.submit(one);
      await turn();
      assert.equal(calls.length, 1);
      assert.deepEqual(clock.waiting, []);
    });

    it("and tells of it: the first one, and what it did", async () => {
      const one = mesh(["shop/a", "shop/b"]);
      await apply(one);
      assert.deepEqual(flushed.map(({ report, first }) => [report.services, first]), [[2, true]]);
      assert.equal(controller.state.lastFlush?.services, 2);
      await apply(change(one, "shop/a", 81));
      assert.deepEqual(flushed.map(({ report, first }) => [report.services, first]), [[2, true], [1, false]]);
      assert.equal(controller.state.lastFlush?.services, 1);
      assert.equal(controller.state.flushes, 2);
    });

    it("without counting a snapshot that concerns no service", async () => {
      const one = mesh(["shop/a"]);
      await apply(one);
      await apply(editSnapshot(one, { upsertWorkloads: [workload("alone", [])] }));
      assert.equal(controller.state.flushes, 1);
      assert.equal(controller.state.lastFlush?.services, 1);
    });
  });

  describe("a flush that fails", () => {
    const one = mesh(["shop/a"]);

    it("is tried again after 1 s, then twice as long each time up to 30 s", async () => {
      controller.submit(one);
      for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
        const count = calls.length;
        await last().fail(kernelRefuses);
        assert.deepEqual(clock.waiting, [seconds * 1000]);
        assert.equal(errors.at(-1)?.retryInMs, seconds * 1000);
        clock.pass(seconds * 1000 - 1);
        assert.equal(calls.length, count);
        clock.pass(1);
        assert.equal(calls.length, count + 1);
        assert.deepEqual(keysOf(last()), ["shop/a"]);
      }
      await last().end();
      assert.equal(controller.state.applied, one);
      assert.deepEqual(clock.waiting, []);
      controller.submit(change(one, "shop/a", 81));
      await last().fail(kernelRefuses);
      assert.deepEqual(clock.waiting, [1000]);
    });

    it("is tried again where the time for that comes while the event loop has not turned since", async () => {
      controller.submit(one);
      const failed = last().fail(kernelRefuses);
      for (let i = 0; i < 20; i++) await Promise.resolve();
      assert.deepEqual(clock.waiting, [1000]);
      clock.pass(1000);
      await failed;
      assert.equal(calls.length, 2);
      await last().end();
      assert.equal(controller.state.applied, one);
    });

    it("is told in the state until it succeeds: which services, and why", async () => {
      await apply(one);
      const two = change(one, "shop/a", 81);
      controller.submit(two);
      await last().fail(kernelRefuses);
      const error = "flush of shop/a failed, the kernel serves what it served before: the kernel refuses";
      assert.equal(controller.state.error, error);
      assert.deepEqual(errors, [{ message: error, retryInMs: 1000 }]);
      assert.equal(controller.state.applied, one);
      assert.equal(controller.state.firstFlushDone, true);
      assert.equal(flushed.length, 1);
      clock.pass(1000);
      assert.equal(controller.state.error, error);
      await last().end();
      assert.equal(controller.state.error, undefined);
      assert.equal(controller.state.applied, two);
    });

    it("is forgotten once it succeeded, though a newer one is under way", async () => {
      controller.submit(one);
      await last().fail(kernelRefuses);
      clock.pass(1000);
      controller.submit(change(one, "shop/a", 81));
      assert.notEqual(controller.state.error, undefined);
      await last().end();
      assert.equal(controller.state.error, undefined);
      await last().fail(kernelRefuses);
      assert.deepEqual(clock.waiting, [1000]);
    });

    it("is told by three names where it is of more", async () => {
      controller.submit(mesh(["shop/a", "shop/b", "shop/c", "shop/d", "shop/e"]));
      await last().fail(kernelRefuses);
      assert.match(controller.state.error!, /^flush of shop\/., shop\/., shop\/. and 2 more failed, /);
    });

    it("is not tried again as it was where a newer one comes: that is tried at once", async () => {
      await apply(one);
      controller.submit(change(one, "shop/a", 81));
      await last().fail(kernelRefuses);
      const count = calls.length;
      const newer = change(one, "shop/a", 82);
      controller.submit(newer);
      assert.equal(calls.length, count + 1);
      assert.deepEqual(last().changes, [["shop/a", compileService(newer, "shop/a", node)]]);
      assert.deepEqual(clock.waiting, []);
      await last().end();
      assert.equal(controller.state.error, undefined);
      clock.pass(60_000);
      assert.equal(calls.length, count + 1);
    });

    it("gives way at once to what came meanwhile", async () => {
      controller.submit(one);
      const newer = change(one, "shop/a", 82);
      controller.submit(newer);
      await last().fail(kernelRefuses);
      assert.equal(calls.length, 2);
      assert.deepEqual(last().changes, [["shop/a", compileService(newer, "shop/a", node)]]);
      await last().end();
      assert.equal(controller.state.applied, newer);
      assert.deepEqual(clock.waiting, []);
    });

    it("is tried again at once where it is handed in again", async () => {
      controller.submit(one);
      await last().fail(kernelRefuses);
      controller.submit(one);
      assert.equal(calls.length, 2);
      assert.deepEqual(clock.waiting, []);
    });

    it("is forgotten once the kernel holds what is wanted, without another flush", async () => {
      await apply(one);
      controller.submit(change(one, "shop/a", 81));
      await last().fail(kernelRefuses);
      const count = calls.length;
      controller.submit(one);
      await turn();
      assert.equal(controller.state.error, undefined);
      assert.equal(calls.length, count);
      assert.deepEqual(clock.waiting, []);
      // The same while the one that fails is under way.
      controller.submit(change(one, "shop/a", 82));
      controller.submit(one);
      await last().fail(kernelRefuses);
      assert.equal(controller.state.error, undefined);
      assert.equal(calls.length, count + 1);
      assert.deepEqual(clock.waiting, []);
    });
  });

  describe("a flush that could be neither finished nor undone", () => {
    const one = mesh(["shop/a", "shop/b"]);
    const two = change(one, "shop/a", 81);
    const unknown = new KernelStateUnknown("undoing failed");

    it("leads to reading the kernel back and to a flush of every service", async () => {
      await apply(one);
      controller.submit(two);
      await last().fail(unknown);
      assert.equal(controller.state.firstFlushDone, false);
      assert.equal(
        controller.state.error,
        "flush of shop/a failed, what the kernel serves is not known until it has been read back: undoing failed",
      );
      clock.pass(1000);
      assert.deepEqual(names(), ["flush", "flush", "reread"]);
      await last().end();
      assert.deepEqual(names(), ["flush", "flush", "reread", "flush"]);
      assert.deepEqual(keysOf(last()), ["shop/a", "shop/b"]);
      await last().end();
      assert.equal(controller.state.firstFlushDone, true);
      assert.equal(controller.state.applied, two);
      assert.equal(controller.state.error, undefined);
      assert.deepEqual(flushed.map(({ first }) => first), [true, false]);
      controller.submit(change(two, "shop/b", 82));
      assert.deepEqual(names().slice(4), ["flush"]);
      assert.deepEqual(keysOf(last()), ["shop/b"]);
    });

    it("is not flushed over before the kernel has been read back", async () => {
      await apply(one);
      controller.submit(two);
      await last().fail(unknown);
      clock.pass(1000);
      await last().fail(new Error("no more files"));
      assert.match(
        controller.state.error!,
        /^flush of .*not known until it has been read back: no more files$/,
      );
      controller.submit(change(two, "shop/b", 82));
      assert.deepEqual(names().slice(2), ["reread", "reread"]);
      await last().end();
      assert.deepEqual(keysOf(last()), ["shop/a", "shop/b"]);
    });

    it("is read back once, and every service is named until a flush succeeds", async () => {
      await apply(one);
      controller.submit(two);
      await last().fail(unknown);
      clock.pass(1000);
      await last().end();
      await last().fail(kernelRefuses);
      assert.match(controller.state.error!, /the kernel serves what it served before: the kernel refuses$/);
      clock.pass(2000);
      assert.deepEqual(names().slice(2), ["reread", "flush", "flush"]);
      assert.deepEqual(keysOf(last()), ["shop/a", "shop/b"]);
    });

    it("is flushed over with the snapshot that was the newest before reading back", async () => {
      await apply(one);
      controller.submit(two);
      await last().fail(unknown);
      clock.pass(1000);
      controller.submit(editSnapshot(two, { removeServices: ["shop/b"] }));
      await last().end();
      const all = ["shop/a", "shop/b"];
      assert.deepEqual(
        new Map(last().changes),
        new Map(all.map((key) => [key, compileService(two, key, node)])),
      );
      await last().end();
      assert.deepEqual(last().changes, [["shop/b", undefined]]);
    });

    it("leads back even to what the kernel held before", async () => {
      await apply(one);
      controller.submit(two);
      await last().fail(unknown);
      controller.submit(one);
      await last().end();
      assert.deepEqual(names().slice(2), ["reread", "flush"]);
      await last().end();
      assert.equal(controller.state.firstFlushDone, true);
      assert.equal(controller.state.error, undefined);
    });
  });

  describe("repair", () => {
    const one = mesh(["shop/a", "shop/b"]);
    const two = change(one, "shop/a", 81);

    it("reads the kernel back and flushes every service, though nothing has changed", async () => {
      await apply(one);
      controller.repair();
      assert.deepEqual(names(), ["flush", "reread"]);
      assert.equal(controller.state.firstFlushDone, false);
      await last().end();
      assert.deepEqual(names(), ["flush", "reread", "flush"]);
      assert.deepEqual(keysOf(last()), ["shop/a", "shop/b"]);
      await last().end();
      assert.equal(controller.state.firstFlushDone, true);
      assert.equal(controller.state.applied, one);
      assert.deepEqual(flushed.map(({ first }) => first), [true, false]);
      await turn();
      assert.equal(calls.length, 3);
      controller.submit(two);
      assert.deepEqual(names().slice(3), ["flush"]);
      assert.deepEqual(keysOf(last()), ["shop/a"]);
    });

    it("waits for a flush that runs, whether it succeeds or not", async () => {
      await apply(one);
      for (const end of [(call: Call) => call.end(), (call: Call) => call.fail(kernelRefuses)]) {
        const before = calls.length;
        controller.submit(change(one, "shop/a", 1000 + before));
        controller.repair();
        await turn();
        assert.deepEqual(names().slice(before), ["flush"]);
        await end(last());
        assert.deepEqual(names().slice(before), ["flush", "reread"]);
        await last().end();
        assert.deepEqual(names().slice(before), ["flush", "reread", "flush"]);
        assert.deepEqual(keysOf(last()), ["shop/a", "shop/b"]);
        await last().end();
        assert.equal(controller.state.firstFlushDone, true);
        assert.equal(controller.state.error, undefined);
        assert.deepEqual(clock.waiting, []);
        assert.equal(calls.length, before + 3);
      }
    });

    it("is done once for all who asked meanwhile, and again for who asks later", async () => {
      await apply(one);
      controller.submit(two);
      controller.repair();
      controller.repair();
      await last().end();
      await last().end();
      await last().end();
      assert.deepEqual(names(), ["flush", "flush", "reread", "flush"]);
      controller.repair();
      controller.repair();
      await last().end();
      await last().end();
      // The second asked once the first was under way.
      assert.deepEqual(names().slice(4), ["reread", "flush", "reread"]);
      await last().end();
      await last().end();
      await turn();
      assert.deepEqual(names().slice(4), ["reread", "flush", "reread", "flush"]);
      assert.equal(controller.state.firstFlushDone, true);
    });

    it("flushes what is newest then", async () => {
      await apply(one);
      controller.repair();
      controller.submit(two);
      await last().end();
      await last().end();
      assert.deepEqual(names(), ["flush", "reread", "flush", "flush"]);
      assert.deepEqual(keysOf(last()), ["shop/a"]);
      await last().end();
      assert.equal(controller.state.applied, two);
    });

    it("is tried again where the kernel cannot be read", async () => {
      await apply(one);
      controller.repair();
      await last().fail(new Error("no more files"));
      assert.match(controller.state.error!, /not known until it has been read back: no more files$/);
      assert.deepEqual(clock.waiting, [1000]);
      clock.pass(1000);
      assert.deepEqual(names(), ["flush", "reread", "reread"]);
      await last().end();
      assert.deepEqual(keysOf(last()), ["shop/a", "shop/b"]);
      await last().fail(kernelRefuses);
      assert.match(controller.state.error!, /the kernel serves what it served before: the kernel refuses$/);
      clock.pass(2000);
      assert.deepEqual(names().slice(3), ["flush", "flush"]);
      assert.deepEqual(keysOf(last()), ["shop/a", "shop/b"]);
      await last().end();
      assert.equal(controller.state.error, undefined);
      assert.equal(controller.state.firstFlushDone, true);
    });

    it("waits for the first snapshot, and is not begun once stopped", async () => {
      controller.repair();
      await turn();
      assert.deepEqual(names(), []);
      controller.submit(one);
      assert.deepEqual(names(), ["reread"]);
      await last().end();
      await last().end();
      const stop = controller.stop();
      controller.repair();
      await turn();
      assert.deepEqual(names(), ["reread", "flush", "settle"]);
      await last().end();
      await stop;
    });
  });

  describe("stop", () => {
    const one = mesh(["shop/a"]);
    const two = change(one, "shop/a", 81);

    it("lets a running flush and what it left to do end, and starts no other", async () => {
      controller.submit(one);
      controller.submit(two);
      let stopped = false;
      const stop = controller.stop().then(() => stopped = true);
      await turn();
      assert.deepEqual(names(), ["flush"]);
      await calls[0].end();
      assert.equal(controller.state.applied, one);
      assert.deepEqual(names(), ["flush", "settle"]);
      assert.equal(stopped, false);
      await last().end();
      await stop;
      controller.submit(two);
      await turn();
      assert.deepEqual(names(), ["flush", "settle"]);
    });

    it("lets a flush that fails be the last one, and leaves no timer", async () => {
      controller.submit(one);
      const stop = controller.stop();
      await calls[0].fail(kernelRefuses);
      assert.deepEqual(clock.waiting, []);
      assert.deepEqual(errors.map(({ retryInMs }) => retryInMs), [undefined]);
      await last().end();
      await stop;
      assert.deepEqual(names(), ["flush", "settle"]);
    });

    it("gives up waiting to try again", async () => {
      controller.submit(one);
      await calls[0].fail(kernelRefuses);
      const stop = controller.stop();
      assert.deepEqual(clock.waiting, []);
      await turn();
      await last().end();
      await stop;
      assert.deepEqual(names(), ["flush", "settle"]);
    });

    it("throws what is left undone", async () => {
      const stop = controller.stop();
      const thrown = assert.rejects(stop, /not freed/);
      await turn();
      await last().fail(new Error("not freed"));
      await thrown;
    });
  });

  describe("idle", () => {
    const one = mesh(["shop/a"]);

    /** Whether `idle()` has resolved by now. */
    async function isIdle(): Promise<boolean> {
      let idle = false;
      controller.idle().then(() => idle = true);
      await turn();
      return idle;
    }

    it("waits for all that was handed in", async () => {
      assert.equal(await isIdle(), true);
      controller.submit(one);
      assert.equal(await isIdle(), false);
      controller.submit(change(one, "shop/a", 81));
      await calls[0].end();
      assert.equal(await isIdle(), false);
      await calls[1].end();
      assert.equal(await isIdle(), true);
    });

    it("waits for what is handed in while somebody waits already", async () => {
      let idle = false;
      controller.submit(one);
      const waiting = controller.idle().then(() => idle = true);
      controller.submit(change(one, "shop/a", 81));
      await calls[0].end();
      assert.equal(idle, false);
      await calls[1].end();
      await waiting;
    });

    it("does not wait for another attempt", async () => {
      controller.submit(one);
      await calls[0].fail(kernelRefuses);
      assert.equal(await isIdle(), true);
      assert.deepEqual(clock.waiting, [1000]);
      clock.pass(1000);
      assert.equal(await isIdle(), false);
      await last().end();
      assert.equal(await isIdle(), true);
    });
  });
});
