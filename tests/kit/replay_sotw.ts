/** Plays a recorded state-of-the-world stream to a client over gRPC, as the fake control plane. */

import {
  type DiscoveryRequest,
  discoveryRequestType,
  discoveryResponseType,
} from "../../src/xds/proto/mod.ts";
import type { ControlPlane, ControlStream } from "./control_plane.ts";
import type { RecordedStep } from "./streams.ts";

export interface SotwReplay {
  /** Plays one step; when it is done, the client has answered everything. */
  readonly play: (step: RecordedStep) => Promise<void>;
}

/** A client may be busy with a large response, on a machine where others are busy too. */
const withinMs = 30_000;

/**
 * Each response is sent as soon as the client asks for the very names of its type that the recorded one had asked for; the next event
 * waits until it is answered. When a stream ends is up to the test.
 */
export function replaySotw(plane: ControlPlane): SotwReplay {
  let stream: ControlStream | undefined;
  /** By type: what the client asked for last, and what the recorded one had. */
  let asked = new Map<string, DiscoveryRequest>();
  let recorded = new Map<string, DiscoveryRequest>();

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      const request = await stream!.sotwRequest(withinMs);
      asked.set(request.type_url, request);
    }
  }

  async function respond(typeUrl: string, bytes: Uint8Array): Promise<void> {
    await until(() => sameNames(asked.get(typeUrl), recorded.get(typeUrl)));
    stream!.send(bytes);
    const { nonce } = discoveryResponseType.decode(bytes);
    await until(() => asked.get(typeUrl)?.response_nonce === nonce);
  }

  return {
    play: async ({ events }) => {
      for (const event of events) {
        switch (event.kind) {
          case "open":
            [asked, recorded] = [new Map(), new Map()];
            stream = await plane.stream(withinMs);
            break;
          case "out":
            recorded.set(event.typeUrl, discoveryRequestType.decode(event.bytes));
            break;
          case "in":
            await respond(event.typeUrl, event.bytes);
            break;
          case "end":
            break;
        }
      }
    },
  };
}

function sameNames(a: DiscoveryRequest | undefined, b: DiscoveryRequest | undefined): boolean {
  return a !== undefined && b !== undefined && a.resource_names.length === b.resource_names.length &&
    new Set([...a.resource_names, ...b.resource_names]).size === a.resource_names.length;
}
