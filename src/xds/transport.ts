/** One gRPC stream of raw messages to a control plane. */

import { Buffer } from "node:buffer";
import { type ChannelOptions, Client, type ClientDuplexStream } from "@grpc/grpc-js";
import { channelSecurity, streamMetadata, type TlsOptions } from "./credentials.ts";
import { type Dial, dial as dialPlainly } from "./dial.ts";
import { dialled } from "./dialled.ts";
import { formatTarget, type Target } from "./target.ts";

export interface TransportOptions {
  readonly target: Target;
  /** `undefined`: plaintext. */
  readonly tls: TlsOptions | undefined;
  /** A file with a bearer token to send along, read for each stream. @default none */
  readonly tokenFile?: string;
  /**
   * How often the server is asked whether it is there, in milliseconds. Servers take offence at less than they allow (istiod: 15 s) and
   * end the connection.
   *
   * @default {20000}
   */
  readonly keepaliveMs?: number;
  /** How long the server may take to answer that, and to be connected to, in milliseconds. @default {10000} */
  readonly timeoutMs?: number;
  /** How to connect. @default {dial} */
  readonly dial?: Dial;
}

/** An open stream. */
export interface Stream {
  /** Sends a message; nothing where the stream has ended already. */
  send(message: Uint8Array): void;
  /** What comes; ends when the server ends the stream well, throws a `StreamError` when it ends otherwise. To be read once. */
  readonly messages: AsyncIterable<Uint8Array>;
  /** Ends it, and closes the connection. */
  close(): void;
}

/** A stream that could not be opened, or broke. */
export class StreamError extends Error {
  override readonly name = "StreamError";
}

/** A mesh of 200,000 workloads comes as one message of 75 MB. */
const maxMessageBytes = 512 * 2 ** 20;

/**
 * With 1 MiB on the way, large messages come as fast as with 16, and twice as fast as with the default of 64 KiB. What is on the way is
 * read in one go, and all else waits for that.
 */
const flowControlWindow = 2 ** 20;

/**
 * Connects, and opens one stream of the method. Credentials are read from their files each time.
 *
 * @param method such as `/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources`
 * @throws {StreamError | CredentialsError}
 */
export async function openStream(
  options: TransportOptions,
  method: string,
  signal: AbortSignal,
): Promise<Stream> {
  const { target, tls, tokenFile, keepaliveMs = 20_000, timeoutMs = 10_000, dial = dialPlainly } = options;
  signal.throwIfAborted();
  const metadata = streamMetadata(tokenFile);
  const security = channelSecurity(target, tls);
  const channelOptions: ChannelOptions = {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": timeoutMs,
    "grpc-node.flow_control_window": flowControlWindow,
    // A connection of its own for each stream, so that changed files and addresses count at once.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_retries": 0,
    "grpc.ssl_target_name_override": security.serverName,
    "grpc.default_authority": tls?.serverName ??
      (target.kind === "unix" ? "localhost" : formatTarget(target)),
  };
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal, AbortSignal.timeout(timeoutMs)]);
  using connection = dialled(security.credentials, async () => {
    const socket = await dial(target, until);
    return socket.setNoDelay();
  });
  const client = new Client(connection.target, connection.credentials, channelOptions);
  const call = client.makeBidiStreamRequest<Uint8Array, Uint8Array>(
    method,
    (message) => Buffer.from(message.buffer, message.byteOffset, message.length),
    (message) => message,
    metadata,
  );
  const close = () => {
    ended.abort();
    call.cancel();
    client.close();
  };
  try {
    await connected(client, call, timeoutMs, signal);
  } catch (error) {
    // Cancelling is an error event too; nobody waits for it any more.
    call.on("error", () => {});
    close();
    throw error;
  }
  let open = true;
  let failure: unknown;
  call.on("end", () => open = false);
  call.on("error", (error) => {
    open = false;
    failure = error;
  });
  return {
    send: (message) => {
      if (open) call.write(message);
    },
    messages: messagesOf(call, () => failure),
    close,
  };
}

type Call = ClientDuplexStream<Uint8Array, Uint8Array>;

/** Resolves when the connection is there; the call itself tells why it is not. */
function connected(client: Client, call: Call, timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown) => {
      done();
      reject(streamError(error));
    };
    const onAbort = () => {
      done();
      reject(signal.reason);
    };
    const done = () => {
      call.off("error", onError);
      signal.removeEventListener("abort", onAbort);
    };
    call.on("error", onError);
    signal.addEventListener("abort", onAbort, { once: true });
    client.waitForReady(Date.now() + timeoutMs, (error) => {
      done();
      if (error) reject(new StreamError(`no connection within ${timeoutMs / 1000} s`, { cause: error }));
      else resolve();
    });
  });
}

/** @param failure why the call has ended, which who begins to read only then is not told: the call looks as if it had ended well */
async function* messagesOf(call: Call, failure: () => unknown): AsyncGenerator<Uint8Array> {
  try {
    for await (const message of call) yield message;
  } catch (error) {
    throw streamError(error);
  }
  if (failure() !== undefined) throw streamError(failure());
}

/** The words of grpc-js's errors, whatever their code: not all that should be UNAVAILABLE are. */
function streamError(error: unknown): StreamError {
  const { details, message } = error as { details?: string; message?: string };
  const words = (details || message || String(error))
    .replace(/^No connection established\. Last error: (?:Error: )?/, "")
    .replace(/\. Resolution note: $/, "");
  return new StreamError(words, { cause: error });
}
