import { workload } from "../../ffi/mod.ts";
import type { SocketMaps } from "./programs.ts";

/**
 * Deletes the flows of closed sockets that sock_release left: those behind the first 128 of a socket, and those that two
 * threads of one socket took from its list at the same time (bpf/socket_state.h).
 *
 * A flow is left over when its socket's FLOW_HEAD is gone. A head is written before the first flow and cookies are never
 * used again, so whoever has no head now will never have one.
 *
 * @returns how many were deleted
 */
export function sweepFlows(sockets: SocketMaps): number {
  const { FLOW_HEAD } = workload.flowRole;
  const keys: workload.FlowKey[] = [];
  const heads = new Set<bigint>();
  for (const [key] of sockets.flows.entries()) {
    if (key.role === FLOW_HEAD) heads.add(key.cookie);
    else keys.push(key);
  }
  const address = new Uint8Array(16);
  const alive = new Map<bigint, boolean>();
  const isAlive = (cookie: bigint) => {
    if (heads.has(cookie)) return true;
    // Its head may have been written behind the reader's back: ask again.
    const known = alive.get(cookie) ??
      sockets.flows.lookup({ cookie, address, port: 0, role: FLOW_HEAD }) !== undefined;
    alive.set(cookie, known);
    return known;
  };
  const leftOver = keys.filter((key) => !isAlive(key.cookie));
  sockets.flows.deleteMany(leftOver);
  return leftOver.length;
}
