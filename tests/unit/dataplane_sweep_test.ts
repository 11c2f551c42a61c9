import { beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type Shim, workload } from "../../ffi/mod.ts";
import { openSocketMaps, sweepFlows } from "../../src/dataplane/mod.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import { createFakeKernel } from "./_fake_kernel.ts";

const { FLOW_HEAD, FLOW_SENT, FLOW_REPLY } = workload.flowRole;
const nowhere = addressToBytes("::");
const vip = addressToBytes("10.96.0.1");

const head = (cookie: bigint): workload.FlowKey => ({ cookie, address: nowhere, port: 0, role: FLOW_HEAD });
const sent = (cookie: bigint, port = 53): workload.FlowKey => ({
  cookie,
  address: vip,
  port,
  role: FLOW_SENT,
});
const reply = (cookie: bigint, port = 53): workload.FlowKey => ({ ...sent(cookie, port), role: FLOW_REPLY });

const anyFlow: workload.Flow = {
  seal: 1n,
  other: vip,
  next: nowhere,
  otherPort: 53,
  nextPort: 0,
  nextRole: FLOW_HEAD,
  endpoint: 7,
  generation: 1,
};

describe("sweepFlows", () => {
  /** Called once, after the first part of the flows was read: what the kernel's programs do meanwhile. */
  let meanwhile: () => void;
  let shim: Shim;
  let sockets: ReturnType<typeof openSocketMaps>;

  beforeEach(() => {
    meanwhile = () => {};
    const kernel = createFakeKernel();
    const readBatch: Shim["call"]["weft_map_lookup_batch"] = (...args) => {
      const result = kernel.shim.call.weft_map_lookup_batch(...args);
      const action = meanwhile;
      meanwhile = () => {};
      action();
      return result;
    };
    shim = { ...kernel.shim, call: { ...kernel.shim.call, weft_map_lookup_batch: readBatch } };
    sockets = openSocketMaps(shim, "/nowhere/sockets", { peers: 1, flows: 20_000, connectionLimits: 1 });
  });

  const put = (...keys: workload.FlowKey[]) => {
    for (const key of keys) sockets.flows.update(key, anyFlow);
  };
  const text = ({ cookie, port, role }: workload.FlowKey) => `${cookie} ${port} ${role}`;
  const kept = () => [...sockets.flows.entries()].map(([key]) => text(key)).sort();
  const assertKept = (...keys: workload.FlowKey[]) => assert.deepEqual(kept(), keys.map(text).sort());

  it("deletes the flows of sockets that have no head, and no other", () => {
    put(head(1n), sent(1n), reply(1n), sent(2n), reply(2n), sent(2n, 54), head(3n), reply(3n));
    assert.equal(sweepFlows(sockets), 3);
    assertKept(head(1n), sent(1n), reply(1n), head(3n), reply(3n));
  });

  it("finds nothing to do in an empty map, nor twice the same", () => {
    assert.equal(sweepFlows(sockets), 0);
    put(sent(1n));
    assert.equal(sweepFlows(sockets), 1);
    assert.equal(sweepFlows(sockets), 0);
    assertKept();
  });

  it("keeps a head without flows: its socket may be about to send", () => {
    put(head(1n));
    assert.equal(sweepFlows(sockets), 0);
    assertKept(head(1n));
  });

  it("keeps flows whose head was not read because it appeared meanwhile", () => {
    put(sent(1n), reply(1n), sent(2n));
    meanwhile = () => put(head(1n));
    assert.equal(sweepFlows(sockets), 1);
    assertKept(head(1n), sent(1n), reply(1n));
  });

  it("takes nothing but a head for one: not another socket's, and no flow", () => {
    put(head(1n), sent(1n), { ...head(2n), role: FLOW_SENT }, { ...sent(3n), address: nowhere, port: 0 });
    assert.equal(sweepFlows(sockets), 2);
    assertKept(head(1n), sent(1n));
  });

  it("leaves the flows of a socket that is closed meanwhile to the next sweep", () => {
    put(head(1n), sent(1n), sent(2n));
    meanwhile = () => sockets.flows.delete(head(1n));
    assert.equal(sweepFlows(sockets), 1);
    assertKept(sent(1n));
    assert.equal(sweepFlows(sockets), 1);
    assertKept();
  });

  it("passes over flows that sock_release deletes meanwhile", () => {
    put(sent(1n), sent(2n), sent(3n));
    meanwhile = () => sockets.flows.delete(sent(2n));
    sweepFlows(sockets);
    assertKept();
  });

  it("asks once for each socket without a head, and in batches for all else", () => {
    put(head(1n), sent(1n));
    for (let port = 1; port <= 5000; port++) put(sent(2n, port), reply(3n, port));
    const before = new Map(shim.counts);
    assert.equal(sweepFlows(sockets), 10_000);
    const calls = (what: string) => (shim.counts.get(what) ?? 0) - (before.get(what) ?? 0);
    assert.equal(calls("flows.lookup"), 2);
    assert.equal(calls("flows.lookup_batch"), 3);
    assert.equal(calls("flows.delete_batch"), 3);
    assert.equal(calls("flows.delete"), 0);
    assertKept(head(1n), sent(1n));
  });
});
