/** Keeps a protocol machine connected: one stream at a time, opened anew with backoff whenever it ends. */

import { sleep, type Slices, timedSlices } from "../host/mod.ts";
import { type Backoff, createBackoff } from "./backoff.ts";
import type { Protocol } from "./protocol.ts";
import { EnvelopeError } from "./proto/mod.ts";
import type { Stream } from "./transport.ts";

/** How the stream is now. */
export interface ClientState {
  readonly connected: boolean;
  /** Since when it is connected, or is not. */
  readonly since: Date;
  /** Streams that were opened since the start. */
  readonly streams: number;
  /** Why the last stream ended or could not be opened; `undefined` once a later one has brought something. */
  readonly error: string | undefined;
}

export interface ClientOptions {
  readonly protocol: Protocol;
  /** Opens a stream of the protocol's method; it fails with the reason, or when the signal aborts. */
  readonly connect: (method: string, signal: AbortSignal) => Promise<Stream>;
  /** Called after each response, and where waiting for something missing has ended: what the protocol has may have changed. */
  readonly onChange: () => void;
  readonly onConnected: () => void;
  /** @param retryInMs when it is tried again */
  readonly onDisconnected: (error: string, retryInMs: number) => void;
  /** How what is received is read bit by bit. @default {timedSlices} */
  readonly slices?: Slices;
  /** @default {createBackoff()} */
  readonly backoff?: Backoff;
}

export interface Client {
  readonly state: ClientState;
  /** Resolves when the signal has aborted; it never fails. */
  readonly done: Promise<void>;
}

/** A message of so many bytes is read after others have had their turn. */
const largeMessage = 2 ** 20;

/** How often the protocol may end its waiting for something, in milliseconds. */
const expireEveryMs = 1000;

const goneWell = "the control plane ended the stream";

export function runClient(options: ClientOptions, signal: AbortSignal): Client {
  const { protocol, connect, onChange, onConnected, onDisconnected } = options;
  const { slices = timedSlices, backoff = createBackoff() } = options;
  let state: ClientState = { connected: false, since: new Date(), streams: 0, error: undefined };

  /** Opens a stream and stays on it until it ends. @returns why */
  async function follow(): Promise<string> {
    let stream: Stream | undefined;
    let expiry: ReturnType<typeof setInterval> | undefined;
    const abort = () => stream?.close();
    try {
      stream = await connect(protocol.method, signal);
      state = { ...state, connected: true, since: new Date(), streams: state.streams + 1 };
      onConnected();
      signal.addEventListener("abort", abort, { once: true });
      const { send, messages } = stream;
      // Messages that wait already come without the event loop turning in between. Rests in which nothing is done: with turns V8, which
      // marks a little in each, would leave small messages too little time, and what comes in such a rest is one flush.
      const between = timedSlices();
      (await protocol.open(new Date(), slices())).forEach(send);
      let receiving = false;
      expiry = setInterval(() => {
        if (receiving) return;
        protocol.expire(new Date()).forEach(send);
        onChange();
      }, expireEveryMs);
      for await (const message of messages) {
        receiving = true;
        // The transport has just put it together in one go.
        if (message.length > largeMessage) await between();
        const answers = await protocol.receive(message, new Date(), slices());
        receiving = false;
        answers.forEach(send);
        backoff.reset();
        state = { ...state, error: undefined };
        onChange();
        await between();
      }
      return goneWell;
    } catch (error) {
      return reasonOf(error);
    } finally {
      clearInterval(expiry);
      signal.removeEventListener("abort", abort);
      stream?.close();
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const wasConnected = state.connected;
      const error = await follow();
      if (signal.aborted) break;
      const since = state.connected || wasConnected ? new Date() : state.since;
      state = { ...state, connected: false, since, error };
      const wait = backoff.next();
      onDisconnected(error, wait);
      await sleep(wait, signal).catch(() => {});
    }
    state = { ...state, connected: false };
  }

  return {
    get state() {
      return state;
    },
    done: run(),
  };
}

function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return error instanceof EnvelopeError ? `the control plane sent garbage: ${reason}` : reason;
}
