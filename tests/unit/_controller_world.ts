/** A flush controller whose data path and clock do what the test says, and small meshes for it. */

import assert from "node:assert/strict";
import { type Controller, createController, type FlushReport } from "../../src/dataplane/mod.ts";
import { placeOn } from "../../src/locality/mod.ts";
import {
  editSnapshot,
  emptySnapshot,
  type Service,
  type ServiceKey,
  type Snapshot,
} from "../../src/mesh/mod.ts";
import { type Clock, createClock } from "./_clock.ts";
import { type Call, recordCalls } from "./_datapath_calls.ts";
import { service, workload } from "./_mesh.ts";

export const node = placeOn("");
export const kernelRefuses = new Error("the kernel refuses");

/** A service of this node's network with one VIP and one port. */
function serviceOn(key: ServiceKey, port: number): Service {
  const vip = { network: node.network, address: `10.96.0.${key.charCodeAt(key.length - 1)}` };
  return service(key, [], { vips: [vip], ports: new Map([[port, port]]) });
}

/** A mesh with these services, each with one workload of its own. */
export function mesh(keys: readonly ServiceKey[]): Snapshot {
  return editSnapshot(emptySnapshot(), {
    upsertServices: keys.map((key) => serviceOn(key, 80)),
    upsertWorkloads: keys.map((key) => workload(`w-${key}`, [key], { network: node.network })),
  });
}

/** The same with another port of one service. */
export function change(snapshot: Snapshot, key: ServiceKey, port: number): Snapshot {
  return editSnapshot(snapshot, { upsertServices: [serviceOn(key, port)] });
}

export interface ControllerWorld {
  readonly clock: Clock;
  readonly controller: Controller;
  /** What the data path was called for, in the order in which the calls began. */
  readonly calls: readonly Call[];
  /** What `onFlush` was told. */
  readonly flushed: readonly { readonly report: FlushReport; readonly first: boolean }[];
  /** What `onError` was told. */
  readonly errors: readonly { readonly message: string; readonly retryInMs: number | undefined }[];
  /** The names of the calls so far. */
  readonly names: () => Call["name"][];
  readonly last: () => Call;
  /** Hands in a snapshot that the kernel takes. */
  readonly apply: (snapshot: Snapshot) => Promise<void>;
}

export function createControllerWorld(): ControllerWorld {
  const clock = createClock();
  const calls: Call[] = [];
  const flushed: ControllerWorld["flushed"][number][] = [];
  const errors: ControllerWorld["errors"][number][] = [];
  const controller = createController({
    datapath: recordCalls(calls),
    node: () => node,
    onFlush: (report, first) => void flushed.push({ report, first }),
    onError: (message, retryInMs) => errors.push({ message, retryInMs }),
    later: clock.later,
  });
  const last = () => calls[calls.length - 1];
  return {
    clock,
    controller,
    calls,
    flushed,
    errors,
    names: () => calls.map(({ name }) => name),
    last,
    apply: async (snapshot) => {
      controller.submit(snapshot);
      await last().end();
      assert.equal(controller.state.applied, snapshot);
    },
  };
}

/** The services that a flush was called for. */
export function keysOf({ changes }: Call): ServiceKey[] {
  return changes.map(([key]) => key).sort();
}
