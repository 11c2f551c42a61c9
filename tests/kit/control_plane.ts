/** A fake control plane: a real gRPC server whose streams a test scripts step by step. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  deltaRequestType,
  deltaResponseType,
  type DiscoveryRequest,
  discoveryRequestType,
  type DiscoveryResponse,
  discoveryResponseType,
} from "../../src/xds/proto/mod.ts";
import { patience } from "./slow.ts";

export interface ControlPlaneOptions {
  /** `ADDRESS:PORT` (0: any) or `unix:PATH`. @default 127.0.0.1:0 */
  readonly listen?: string;
  /** @default plaintext */
  readonly credentials?: ServerCredentials;
  /** The largest request that it takes, in bytes; a stream with a larger one ends with RESOURCE_EXHAUSTED. @default any */
  readonly maxRequestBytes?: number;
}

export interface ControlPlane extends AsyncDisposable {
  /** What a client dials: `ADDRESS:PORT` or `unix:PATH`; the same after a restart. */
  readonly target: string;
  /** Waits for the next stream that a client opens. */
  readonly stream: (withinMs?: number) => Promise<ControlStream>;
  /** Streams that nobody has asked for yet. */
  readonly waiting: number;
  /** Sends GOAWAY on every connection, and cuts them after so many milliseconds. */
  readonly goAway: (graceMs: number) => void;
  /** Stops listening, and cuts all connections. */
  readonly stop: () => void;
  /** Listens again where it did. */
  readonly start: () => Promise<void>;
}

/** One stream, as the control plane sees it. What it waits for it waits for patiently, 5 s. */
export interface ControlStream {
  readonly variant: "delta" | "sotw";
  /** What came along with the stream, such as a token. */
  readonly metadata: Metadata;
  /** The common name in the client's certificate, "" where it showed none. */
  readonly peerName: string;
  /** The next request, as bytes. */
  readonly request: (withinMs?: number) => Promise<Uint8Array>;
  /** The next request, decoded. */
  readonly deltaRequest: (withinMs?: number) => Promise<DeltaDiscoveryRequest>;
  readonly sotwRequest: (withinMs?: number) => Promise<DiscoveryRequest>;
  /** Expects exactly this request next; fields that are left out must be empty. The node is compared only where it is given. */
  readonly expectDelta: (request: Partial<DeltaDiscoveryRequest>) => Promise<void>;
  readonly expectSotw: (request: Partial<DiscoveryRequest>) => Promise<void>;
  /** Expects that no request comes for a while. */
  readonly expectSilence: (ms?: number) => Promise<void>;
  readonly send: (bytes: Uint8Array) => void;
  readonly sendDelta: (response: Partial<DeltaDiscoveryResponse>) => void;
  readonly sendSotw: (response: Partial<DiscoveryResponse>) => void;
  /** Ends it well. */
  readonly end: () => void;
  /** Ends it with an error. @default UNAVAILABLE */
  readonly fail: (code?: status, details?: string) => void;
  /** Resolves when the client has gone, or the stream has ended otherwise. */
  readonly ended: Promise<void>;
}

type Call = ServerDuplexStream<Uint8Array, Uint8Array>;

const asIs = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

const definition: ServiceDefinition = Object.fromEntries(
  ["DeltaAggregatedResources", "StreamAggregatedResources"].map((name) => [name, {
    path: `/envoy.service.discovery.v3.AggregatedDiscoveryService/${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }]),
);

/** Starts it. */
export async function createControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { listen = "127.0.0.1:0", credentials = ServerCredentials.createInsecure(), maxRequestBytes = -1 } =
    options;
  const streams = createQueue<ControlStream>();
  let server: Server | undefined;
  let target = listen;

  async function start(): Promise<void> {
    const next = new Server({
      "grpc.max_send_message_length": -1,
      "grpc.max_receive_message_length": maxRequestBytes,
      "grpc-node.flow_control_window": 16 * 2 ** 20,
    });
    next.addService(definition, {
      DeltaAggregatedResources: (call: Call) => streams.put(controlStream(call, "delta")),
      StreamAggregatedResources: (call: Call) => streams.put(controlStream(call, "sotw")),
    });
    if (target.startsWith("unix:")) await Deno.remove(target.slice("unix:".length)).catch(() => {});
    const port = await new Promise<number>((resolve, reject) =>
      next.bindAsync(target, credentials, (error, port) => error ? reject(error) : resolve(port))
    );
    if (!target.startsWith("unix:")) target = target.replace(/:\d+$/, `:${port}`);
    server = next;
  }

  function stop(): void {
    server?.forceShutdown();
    server = undefined;
  }

  await start();
  return {
    get target() {
      return target;
    },
    stream: (withinMs = 5000) => streams.take("a client opens a stream", withinMs),
    get waiting() {
      return streams.size;
    },
    goAway: (graceMs) => server?.drain(target, graceMs),
    stop,
    start,
    [Symbol.asyncDispose]: () => {
      stop();
      return Promise.resolve();
    },
  };
}

function controlStream(call: Call, variant: ControlStream["variant"]): ControlStream {
  const requests = createQueue<Uint8Array>();
  const ended = Promise.withResolvers<void>();
  call.on("data", requests.put);
  // A client that cuts the stream is an error here.
  for (const event of ["end", "error", "cancelled", "close"]) call.on(event, () => ended.resolve());
  const request = (withinMs = 5000) => requests.take("the client sends a request", withinMs);
  const deltaRequest = async (withinMs?: number) => deltaRequestType.decode(await request(withinMs));
  const sotwRequest = async (withinMs?: number) => discoveryRequestType.decode(await request(withinMs));
  return {
    variant,
    metadata: call.metadata,
    peerName: `${call.getAuthContext().sslPeerCertificate?.subject.CN ?? ""}`,
    request,
    deltaRequest,
    sotwRequest,
    expectDelta: async (expected) =>
      assert.deepEqual(plain(await deltaRequest(), expected), { ...emptyDelta, ...expected }),
    expectSotw: async (expected) =>
      assert.deepEqual(plain(await sotwRequest(), expected), { ...emptySotw, ...expected }),
    expectSilence: async (ms = 200) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      assert.equal(requests.size, 0, "the client sent a request that was not expected");
    },
    send: (bytes) => call.write(bytes),
    sendDelta: (response) => call.write(deltaResponseType.encode(response)),
    sendSotw: (response) => call.write(discoveryResponseType.encode(response)),
    end: () => call.end(),
    fail: (code = status.UNAVAILABLE, details = "told to fail") => {
      call.emit("error", { code, details });
    },
    ended: ended.promise,
  };
}

const emptyDelta: Partial<DeltaDiscoveryRequest> = {
  type_url: "",
  resource_names_subscribe: [],
  resource_names_unsubscribe: [],
  initial_resource_versions: {},
  response_nonce: "",
  error_detail: null,
};

const emptySotw: Partial<DiscoveryRequest> = {
  version_info: "",
  resource_names: [],
  type_url: "",
  response_nonce: "",
  error_detail: null,
};

/** A decoded message as a plain object, its defaults filled in; without the node where nobody asks for it. */
function plain(
  message: DeltaDiscoveryRequest | DiscoveryRequest,
  expected: { readonly node?: unknown },
): Record<string, unknown> {
  const empty = "resource_names_subscribe" in message ? emptyDelta : emptySotw;
  const own = JSON.parse(JSON.stringify(message));
  if ("node" in expected) own.node ??= null;
  else delete own.node;
  return { ...empty, ...own };
}

interface Queue<T> {
  readonly size: number;
  put(item: T): void;
  /** @param what completes "waited too long until …" */
  take(what: string, withinMs: number): Promise<T>;
}

function createQueue<T>(): Queue<T> {
  const items: T[] = [];
  const takers: ((item: T) => void)[] = [];
  return {
    get size() {
      return items.length;
    },
    put: (item) => {
      const taker = takers.shift();
      if (taker) taker(item);
      else items.push(item);
    },
    take: (what, withinMs) => {
      if (items.length > 0) return Promise.resolve(items.shift()!);
      return new Promise((resolve, reject) => {
        const taker = (item: T) => {
          clearTimeout(timer);
          resolve(item);
        };
        const timer = setTimeout(() => {
          takers.splice(takers.indexOf(taker), 1);
          reject(new Error(`waited too long until ${what}`));
        }, patience(withinMs));
        takers.push(taker);
      });
    },
  };
}
