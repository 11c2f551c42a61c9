/** A connection to a control plane, before anything is said on it. */

import { connect, type Socket } from "node:net";
import type { Target } from "./target.ts";

/**
 * Connects.
 *
 * @throws {Error} with the reason, or the signal's when it aborts
 */
export type Dial = (target: Target, signal: AbortSignal) => Promise<Socket>;

/** By a socket like any other: where the kernel balances this process, it balances this connection too. */
export const dial: Dial = (target, signal) => {
  const socket = target.kind === "unix"
    ? connect({ path: target.path })
    : connect({ host: target.host, port: target.port });
  return settled(socket, "connect", signal);
};

/** Waits for an event of a socket's. An error before it, or an abort, destroys the socket. */
function settled<S extends Socket>(socket: S, event: string, signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      done();
      // Whatever else it has to say of it.
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const abort = () => fail(signal.reason);
    const close = () => fail(new Error("the connection was closed at once"));
    const succeed = () => {
      done();
      resolve(socket);
    };
    const done = () => {
      socket.off("error", fail).off("close", close).off(event, succeed);
      signal.removeEventListener("abort", abort);
    };
    if (signal.aborted) return abort();
    socket.on("error", fail).on("close", close).on(event, succeed);
    signal.addEventListener("abort", abort, { once: true });
  });
}
