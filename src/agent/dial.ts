/**
 * The agent's own connections. What the kernel holds may be wrong for them just when they are needed most: a control plane is reached
 * by a VIP of the mesh, has come back at another address, and nobody but itself could tell the kernel. So they are not balanced:
 * whoever handles that VIP for a host without weft gets them.
 */

import { Socket as NetSocket } from "node:net";
import {
  AF_INET,
  AF_INET6,
  KernelError,
  openSocket,
  type Shim,
  SOCK_STREAM,
  type Socket,
} from "../../ffi/mod.ts";
import { lookUpHost, sleep } from "../host/mod.ts";
import { addressToBytes, familyOf, formatAddressPort } from "../mesh/mod.ts";
import { type Dial, dial as dialPlainly } from "../xds/dial.ts";

/** So long one address of several is tried before the next one is tried beside it, in milliseconds (RFC 8305). */
const headStartMs = 250;

/** How often a connect is asked how it stands, in milliseconds: at first, and at most. */
const firstWaitMs = 1;
const mostWaitMs = 50;

/**
 * @param exempt marks a socket, by its file descriptor, before it is connected
 * @param lookUp gives the addresses of a host name
 */
export function createDial(
  shim: Shim,
  exempt: (socketFd: number) => void,
  lookUp: (host: string) => Promise<readonly string[]> = lookUpHost,
): Dial {
  /** What names meant when that could last be told: resolvers, too, may be reached by VIPs of the mesh. */
  const known = new Map<string, readonly string[]>();

  async function addressesOf(host: string): Promise<readonly string[]> {
    let failure: unknown;
    const found = await lookUp(host).catch((error) => {
      failure = error;
      return [];
    });
    if (found.length > 0) known.set(host, found);
    const addresses = known.get(host);
    if (addresses !== undefined) return addresses;
    throw failure ?? new Error(`there is no host ${host}`);
  }

  async function connect(address: string, port: number, signal: AbortSignal): Promise<Socket> {
    const domain = familyOf(address) === 4 ? AF_INET : AF_INET6;
    const socket = openSocket(shim, { domain, type: SOCK_STREAM, nonBlocking: true });
    try {
      exempt(socket.fd);
      const to = { address: addressToBytes(address), port };
      for (let wait = firstWaitMs; !socket.tryConnect(to); wait = Math.min(wait * 2, mostWaitMs)) {
        await sleep(wait, signal);
      }
      return socket;
    } catch (error) {
      socket[Symbol.dispose]();
      if (!(error instanceof KernelError)) throw error;
      throw new Error(`connect ${error.code} ${formatAddressPort(address, port)}`, { cause: error });
    }
  }

  /** The first that answers, of all. */
  async function connectToAny(
    addresses: readonly string[],
    port: number,
    signal: AbortSignal,
  ): Promise<Socket> {
    const enough = new AbortController();
    const either = AbortSignal.any([signal, enough.signal]);
    let chosen: Socket | undefined;
    const attempts = addresses.map(async (address, i) => {
      if (i > 0) await sleep(i * headStartMs, either);
      const socket = await connect(address, port, either);
      if (chosen !== undefined) socket[Symbol.dispose]();
      chosen ??= socket;
    });
    try {
      await Promise.any(attempts);
    } catch (error) {
      const reasons = (error as AggregateError).errors;
      throw reasons.length === 1 ? reasons[0] : new Error(
        reasons.map((reason) => reason instanceof Error ? reason.message : `${reason}`).join("; "),
      );
    } finally {
      enough.abort();
    }
    return chosen!;
  }

  return async (target, signal) => {
    // Neither can be a VIP: a path, and an address of one link (fe80::1%eth0).
    if (target.kind === "unix" || target.host.includes("%")) return await dialPlainly(target, signal);
    const { host, port, family } = target;
    const addresses = family === 0 ? await addressesOf(host) : [host];
    signal.throwIfAborted();
    const { fd } = await connectToAny(addresses, port, signal);
    // From here on the descriptor is the runtime's.
    return new NetSocket({ fd, readable: true, writable: true });
  };
}
