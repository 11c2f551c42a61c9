/**
 * A gRPC call with messages both ways, alone on its HTTP/2 connection
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
 */

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import { createFrameReader, frame, FrameError } from "./grpc_frames.ts";

export interface GrpcCallOptions {
  /** Connected, and owned by the call from now on. */
  readonly socket: Socket;
  readonly scheme: "http" | "https";
  /** `HOST:PORT`, as the server knows itself. */
  readonly authority: string;
  /** `/SERVICE/METHOD` */
  readonly method: string;
  /** Sent along. */
  readonly headers: Readonly<Record<string, string>>;
  /** How often the server is asked whether it is there, and how long it may take to answer, in milliseconds. */
  readonly keepaliveMs: number;
  readonly timeoutMs: number;
  /** A longer message ends the call. */
  readonly maxMessageBytes: number;
}

export interface GrpcCall {
  send(message: Uint8Array): void;
  /** Ends where the server ends the call well, else throws why it ended. To be read once. */
  readonly messages: AsyncIterable<Uint8Array>;
  /** Cuts the connection: nothing more is said, nor heard. */
  close(): void;
}

/** The call has ended otherwise than well. */
export class CallError extends Error {
  override readonly name = "CallError";
}

/** With 16 MiB on the way, large messages come twice as fast as with the default of 64 KiB. */
const flowControlWindow = 16 * 2 ** 20;

/** Waits until the server has shown that it speaks HTTP/2, and begins the call. */
export async function openCall(options: GrpcCallOptions, signal: AbortSignal): Promise<GrpcCall> {
  const { socket, scheme, authority, method, headers, keepaliveMs, timeoutMs, maxMessageBytes } = options;
  const session = connect(`${scheme}://${authority}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: flowControlWindow, enablePush: false },
  });
  let why: Error | undefined;
  // What ends the session is told by the call, if there is one; what comes later is nobody's concern.
  session.on("error", (error: Error) => why ??= error);
  session.on("goaway", (code: number) => {
    if (code !== 0) why ??= new CallError(`the server ended the connection: ${errorName(code)}`);
  });
  socket.on("error", (error: Error) => why ??= error);
  // The session does not always notice.
  socket.on("close", () => session.destroy());
  /** Not in good order, with GOAWAY: a server has nothing to learn from it, and Deno's aborts over it now and then. */
  const cut = () => {
    socket.destroy();
    session.destroy();
  };
  let stream: ClientHttp2Stream;
  try {
    await greeted(session, signal, () => why);
    session.setLocalWindowSize(flowControlWindow);
    stream = session.request({
      ":method": "POST",
      ":path": method,
      "content-type": "application/grpc",
      "te": "trailers",
      "user-agent": "weft",
      ...headers,
    });
  } catch (error) {
    cut();
    throw why ?? error;
  }
  const stopAsking = askWhetherThere(session, keepaliveMs, timeoutMs, () => {
    why ??= new CallError(`the server has not answered within ${timeoutMs / 1000} s`);
    cut();
  });
  session.on("close", stopAsking);
  let open = true;
  stream.on("close", () => open = false);
  return {
    send: (message) => {
      if (open) stream.write(frame(message));
    },
    messages: messagesOf(stream, maxMessageBytes, () => why),
    close: () => {
      stopAsking();
      cut();
    },
  };
}

/** Waits for the server's settings, which come first. */
function greeted(
  session: ClientHttp2Session,
  signal: AbortSignal,
  why: () => Error | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () =>
      fail(why() ?? new CallError("the connection was closed before the server said anything"));
    const abort = () => fail(signal.reason);
    const fail = (error: unknown) => {
      done();
      reject(error);
    };
    const succeed = () => {
      done();
      resolve();
    };
    const done = () => {
      session.off("close", end).off("remoteSettings", succeed);
      signal.removeEventListener("abort", abort);
    };
    if (signal.aborted) return abort();
    session.on("close", end).on("remoteSettings", succeed);
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** @returns stops it */
function askWhetherThere(
  session: ClientHttp2Session,
  everyMs: number,
  timeoutMs: number,
  onSilence: () => void,
): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const ask = () => {
    if (session.destroyed) return;
    timer = setTimeout(onSilence, timeoutMs);
    session.ping((error) => {
      clearTimeout(timer);
      if (error === null) timer = setTimeout(ask, everyMs);
    });
  };
  timer = setTimeout(ask, everyMs);
  return () => clearTimeout(timer);
}

async function* messagesOf(
  stream: ClientHttp2Stream,
  maxMessageBytes: number,
  why: () => Error | undefined,
): AsyncGenerator<Uint8Array> {
  let refusal: Error | undefined;
  let status: string | undefined;
  let words: string | undefined;
  const take = (headers: IncomingHttpHeaders) => {
    const { "grpc-status": code, "grpc-message": message } = headers;
    if (code !== undefined) {
      [status, words] = [`${code}`, message === undefined ? undefined : decode(`${message}`)];
    }
  };
  const heads = new Promise<void>((resolve) => {
    stream.on("response", (headers) => {
      take(headers);
      const type = headers["content-type"];
      if (headers[":status"] !== 200) {
        refusal = new CallError(`the server answered with HTTP status ${headers[":status"]}`);
      } else if (!type?.startsWith("application/grpc")) {
        refusal = new CallError(`the server's answer is ${type ?? "of no type"}, expected application/grpc`);
      }
      resolve();
    });
    stream.on("close", resolve);
  });
  stream.on("trailers", take);
  // Told below, by what came before it.
  let broken: unknown;
  stream.on("error", (error) => broken ??= error);
  const closed = new Promise<void>((resolve) => stream.on("close", () => resolve()));
  await heads;
  if (refusal) throw refusal;
  const reader = createFrameReader(maxMessageBytes);
  try {
    for await (const bytes of stream) yield* reader.read(bytes);
  } catch (error) {
    if (error instanceof FrameError) throw error;
    broken ??= error;
  }
  if (status === undefined) {
    // The server has ended its side; with ours the stream is closed, trailers and all.
    stream.end();
    await closed;
  }
  if (status === "0") return;
  if (status !== undefined) {
    throw new CallError(words || `the server ended the stream with gRPC status ${status}`);
  }
  const said = isPremature(broken) ? undefined : broken;
  throw why() ?? said ?? new CallError("the connection was lost");
}

/** What reading a stream says that has ended without an end: nothing that helps. */
function isPremature(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_STREAM_PREMATURE_CLOSE";
}

/** `grpc-message` is percent-encoded. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** RFC 9113, section 7. */
function errorName(code: number): string {
  const names = [
    ...[
      "NO_ERROR",
      "PROTOCOL_ERROR",
      "INTERNAL_ERROR",
      "FLOW_CONTROL_ERROR",
      "SETTINGS_TIMEOUT",
      "STREAM_CLOSED",
    ],
    ...[
      "FRAME_SIZE_ERROR",
      "REFUSED_STREAM",
      "CANCEL",
      "COMPRESSION_ERROR",
      "CONNECT_ERROR",
      "ENHANCE_YOUR_CALM",
    ],
    ...["INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"],
  ];
  return names[code] ?? `error ${code}`;
}
