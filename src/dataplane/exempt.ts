import { HashMap, type Shim, u32 } from "../../ffi/mod.ts";
import type { SocketMaps } from "./programs.ts";

/**
 * Marks a socket that the agent has opened for itself: the programs leave it alone, wherever it connects to. The mark is the socket's,
 * and goes with it. Before the first programs are loaded there is nothing to mark it with, and no need.
 */
export function exempt(shim: Shim, { exemptFd }: Pick<SocketMaps, "exemptFd">, socketFd: number): void {
  if (exemptFd === undefined) return;
  new HashMap(shim, exemptFd, { name: "exempt_sockets", key: u32, value: u32 }).update(socketFd, 1);
}
