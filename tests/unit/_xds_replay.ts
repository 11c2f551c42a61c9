/** Feeds recorded streams to a protocol machine, without any transport. */

import assert from "node:assert/strict";
import { resourcesText } from "../../src/xds/mod.ts";
import type { Protocol } from "../../src/xds/protocol.ts";
import type { RecordedEvent, Recording } from "../kit/streams.ts";

/** How a recording is replayed. */
export interface ReplayOptions {
  /** Makes the machine; also where the recorded client came back with nothing: that is a restarted agent. */
  readonly create: () => Protocol;
  /** What to feed instead of a response; the recorded answer tells what the recorder thought of it. */
  readonly inject: (response: Uint8Array, answer: Uint8Array | undefined) => Uint8Array;
  /** The part of a state, under a key, that is compared. @default all of it */
  readonly comparable?: (state: unknown, key: string) => unknown;
  /** Looks at what the machine answered. */
  readonly onAnswers: (answers: readonly Uint8Array[], response: Uint8Array) => void;
}

/** Replays all streams of one client and compares what is there after every step. */
export async function replay(recording: Recording, options: ReplayOptions): Promise<Protocol> {
  let protocol = options.create();
  for (const { name, events, expected } of recording.steps) {
    for (const [at, event] of events.entries()) {
      if (event.kind === "open") {
        if (event.keep === "nothing") protocol = options.create();
        protocol.open(new Date(0));
      } else if (event.kind === "in") {
        const response = options.inject(event.bytes, answerTo(event, events.slice(at + 1)));
        options.onAnswers(await protocol.receive(response, new Date(0)), response);
      }
    }
    const { connected: _, ...state } = expected;
    const comparable = options.comparable ?? ((part: unknown) => part);
    const pick = (all: object) => comparable(all, "") as Record<string, unknown>;
    assertSameState(
      pick(await resourcesOf(protocol)),
      pick(state),
      `${recording.scenario}, ${recording.client}, ${name}`,
    );
  }
  return protocol;
}

/** What `weft resources -o json` would show. */
export async function resourcesOf(protocol: Protocol): Promise<Record<string, unknown>> {
  return JSON.parse((await Array.fromAsync(resourcesText(protocol))).join(""));
}

/** The recorded client's answer to a response: the next request of its type. */
function answerTo(response: { readonly typeUrl: string }, later: readonly RecordedEvent[]) {
  const answer = later.find((event) => event.kind === "out" && event.typeUrl === response.typeUrl);
  return answer?.kind === "out" ? answer.bytes : undefined;
}

/** Lists whose order means something. */
const ordered = new Set(["routingPreference"]);

/** Compares the keys that `expected` has; lists as multisets. */
export function assertSameState(
  actual: Readonly<Record<string, unknown>>,
  expected: Readonly<Record<string, unknown>>,
  what: string,
): void {
  for (const [key, value] of Object.entries(expected)) {
    assert.deepEqual(inOrder(actual[key]), inOrder(value), `${what}: ${key}`);
  }
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(inOrder).map((item) => [JSON.stringify(item), item] as const)
      .sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, item]) => item);
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)
      .map(([key, part]) => [key, ordered.has(key) ? part : inOrder(part)]),
  );
}
