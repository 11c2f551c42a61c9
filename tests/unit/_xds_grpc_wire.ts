/** Real gRPC between a recording and a protocol machine: the fake control plane on one side, weft's client on the other. */

import assert from "node:assert/strict";
import type { Pause } from "../../src/host/mod.ts";
import type { Protocol } from "../../src/xds/mod.ts";
import type { ControlPlane, ControlStream } from "../kit/mod.ts";
import { startClient, type TestClient } from "./_xds_client.ts";
import type { Wire } from "./_xds_replay.ts";

/** Responses of 37 MB take a while where others use the processor too. */
const withinMs = 30_000;

export function grpcWire(plane: ControlPlane): Wire & AsyncDisposable {
  let client: TestClient | undefined;
  let stream: ControlStream | undefined;
  let current: Protocol | undefined;
  /** What the machine has answered and the control plane has not received yet. */
  let sent: (readonly Uint8Array[])[] = [];

  /** The machine, watched: what it says is kept. */
  function watched(protocol: Protocol): Protocol {
    return Object.create(protocol, {
      open: {
        value: async (now: Date, pause?: Pause) => {
          const requests = await protocol.open(now, pause);
          sent.push(requests);
          return requests;
        },
      },
      receive: {
        value: async (bytes: Uint8Array, now: Date) => {
          const answers = await protocol.receive(bytes, now);
          sent.push(answers);
          return answers;
        },
      },
    });
  }

  /** Everything that the machine said at once has to arrive, in that order. */
  async function arrived(): Promise<readonly Uint8Array[]> {
    const first = await stream!.request(withinMs);
    const wanted = sent.shift()!;
    const arrived = [first];
    while (arrived.length < wanted.length) arrived.push(await stream!.request(withinMs));
    assert.deepEqual(
      arrived.map((bytes) => new Uint8Array(bytes).toHex()),
      wanted.map((bytes) => new Uint8Array(bytes).toHex()),
    );
    return arrived;
  }

  return {
    open: async (protocol) => {
      if (protocol !== current) {
        await client?.[Symbol.asyncDispose]();
        current = protocol;
        sent = [];
        client = startClient(plane.target, { protocol: watched(protocol) });
      }
      stream = await plane.stream();
      await arrived();
    },
    end: () => stream?.fail(),
    deliver: (response) => {
      stream!.send(response);
      return arrived();
    },
    [Symbol.asyncDispose]: async () => await client?.[Symbol.asyncDispose](),
  };
}
