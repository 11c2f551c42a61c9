/** Feeds recorded streams to a protocol machine, without any transport or over one. */

import assert from "node:assert/strict";
import { resourcesText } from "../../src/xds/mod.ts";
import type { Protocol } from "../../src/xds/protocol.ts";
import type { RecordedEvent, Recording } from "../kit/streams.ts";

/** What carries messages between a recording and a machine. */
export interface Wire {
  /** The machine opens a stream; another machine than before is a restarted agent. */
  open(protocol: Protocol): Promise<void>;
  /** The open stream, if there is one, breaks. */
  end(): void;
  /** Hands a response over. @returns what the machine answered, when that has arrived */
  deliver(response: Uint8Array): Promise<readonly Uint8Array[]>;
}

/** No transport at all. */
export function directWire(): Wire {
  let protocol: Protocol;
  return {
    open: async (next) => {
      protocol = next;
      await protocol.open(new Date(0));
    },
    end: () => {},
    deliver: (response) => protocol.receive(response, new Date(0)),
  };
}

/** What a mode needs to be replayed. */
export interface ReplayOptions {
  /** Makes the machine; also where the recorded client came back with nothing: that is a restarted agent. */
  readonly create: () => Protocol;
  /** Whether the recorder's answer rejected the response. */
  readonly isRejection: (answer: Uint8Array) => boolean;
  /** What to feed instead of a response that the recorder rejected: one that weft rejects too, as a whole. */
  readonly spoil: (response: Uint8Array) => Uint8Array;
  /** Looks at what the machine answered. */
  readonly check: (answers: readonly Uint8Array[], response: Uint8Array, rejected: boolean) => void;
  /** The part of a state, under a key, that is compared. @default all of it */
  readonly comparable?: (state: unknown, key: string) => unknown;
}

/**
 * Replays all streams of one client and compares what is there after every step.
 *
 * @returns how many responses that were
 */
export async function replay(recording: Recording, options: ReplayOptions, wire: Wire): Promise<number> {
  const { create, isRejection, spoil, check, comparable = (part) => part } = options;
  const pick = (state: object) => comparable(state, "") as Record<string, unknown>;
  let protocol = create();
  let responses = 0;
  for (const { name, events, expected } of recording.steps) {
    for (const [at, event] of events.entries()) {
      if (event.kind === "open") {
        if (event.keep === "nothing") protocol = create();
        await wire.open(protocol);
      } else if (event.kind === "end") wire.end();
      else if (event.kind === "in") {
        const answer = answerTo(event, events.slice(at + 1));
        const rejected = answer !== undefined && isRejection(answer);
        const response = rejected ? spoil(event.bytes) : event.bytes;
        check(await wire.deliver(response), response, rejected);
        responses++;
      }
    }
    const { connected: _, ...state } = expected;
    const what = `${recording.scenario}, ${recording.client}, ${name}`;
    assertSameState(pick(await resourcesOf(protocol)), pick(state), what);
  }
  return responses;
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
