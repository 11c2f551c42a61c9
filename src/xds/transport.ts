/** One gRPC stream of raw messages to a control plane. */

import { requestHeaders, secure, type TlsOptions } from "./credentials.ts";
import { type Dial, dial as dialPlainly } from "./dial.ts";
import { openCall } from "./grpc_call.ts";
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
  /** Ends it, and cuts the connection. */
  close(): void;
}

/** A stream that could not be opened, or broke. */
export class StreamError extends Error {
  override readonly name = "StreamError";
}

/** A mesh of 200,000 workloads comes as one message of 75 MB. */
const maxMessageBytes = 512 * 2 ** 20;

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
  const headers = requestHeaders(tokenFile);
  const handshake = tls && secure(target, tls);
  const late = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, late]);
  try {
    const plain = await dial(target, either);
    plain.setNoDelay();
    const socket = handshake === undefined ? plain : await handshake(plain, either);
    const call = await openCall({
      ...{ socket, method, headers, keepaliveMs, timeoutMs, maxMessageBytes },
      scheme: tls === undefined ? "http" : "https",
      authority: tls?.serverName ?? (target.kind === "unix" ? "localhost" : formatTarget(target)),
    }, either);
    return { ...call, messages: withStreamErrors(call.messages) };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (late.aborted) throw new StreamError(`no connection within ${timeoutMs / 1000} s`, { cause: error });
    throw streamError(error);
  }
}

async function* withStreamErrors(messages: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* messages;
  } catch (error) {
    throw streamError(error);
  }
}

function streamError(error: unknown): StreamError {
  return new StreamError(error instanceof Error ? error.message : String(error), { cause: error });
}
