/** Sockets in a cgroup and network namespace of one's choosing, or marked before they are connected. */

import { check } from "./kernel_error.ts";
import { closeFd, type Shim } from "./shim.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const EALREADY = 114;
const EINPROGRESS = 115;

/** An address as the shim takes it: 16 bytes of address (IPv4 as IPv4-mapped) and a port in host byte order. */
export interface SocketAddress {
  readonly address: Uint8Array;
  readonly port: number;
}

function pack({ address, port }: SocketAddress): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(18);
  bytes.set(address);
  new DataView(bytes.buffer).setUint16(16, port);
  return bytes;
}

function unpack(bytes: Uint8Array<ArrayBuffer>): SocketAddress {
  return { address: bytes.slice(0, 16), port: new DataView(bytes.buffer).getUint16(16) };
}

export interface SocketOptions {
  readonly domain: typeof AF_INET | typeof AF_INET6;
  readonly type: typeof SOCK_STREAM | typeof SOCK_DGRAM;
  /** @default the caller's cgroup */
  readonly cgroupFd?: number;
  /** @default the caller's network namespace */
  readonly netnsFd?: number;
  /** For each blocking call. @default 2000 */
  readonly timeoutMs?: number;
  /** Calls return at once, whatever there is to wait for. @default false */
  readonly nonBlocking?: boolean;
}

/** One socket; all calls block the thread, at most for the time limit, unless it was opened otherwise. */
export class Socket implements Disposable {
  constructor(readonly shim: Shim, readonly fd: number) {}

  [Symbol.dispose](): void {
    closeFd(this.shim, this.fd);
  }

  bind(to: SocketAddress): void {
    check(this.shim.call.weft_socket_bind(this.fd, pack(to)), "bind", "socket");
  }

  listen(): void {
    check(this.shim.call.weft_socket_listen(this.fd), "listen on", "socket");
  }

  accept(): Socket {
    return new Socket(this.shim, check(this.shim.call.weft_socket_accept(this.fd), "accept on", "socket"));
  }

  connect(to: SocketAddress): void {
    check(this.shim.call.weft_socket_connect(this.fd, pack(to)), "connect", "socket");
  }

  /**
   * For a socket that does not block: begins to connect; called again, it tells how that stands.
   *
   * @returns whether it is connected
   */
  tryConnect(to: SocketAddress): boolean {
    const result = this.shim.call.weft_socket_connect(this.fd, pack(to));
    if (result === -EINPROGRESS || result === -EALREADY) return false;
    check(result, "connect", "socket");
    return true;
  }

  /** @param to where to; without it the peer */
  send(bytes: Uint8Array<ArrayBuffer>, to?: SocketAddress): void {
    const address = to ? pack(to) : null;
    check(this.shim.call.weft_socket_send(this.fd, bytes, bytes.length, address), "send on", "socket");
  }

  receive(): { readonly bytes: Uint8Array; readonly from: SocketAddress } {
    const bytes = new Uint8Array(65536);
    const from = new Uint8Array(18);
    const got = check(
      this.shim.call.weft_socket_receive(this.fd, bytes, bytes.length, from),
      "receive on",
      "socket",
    );
    return { bytes: bytes.slice(0, got), from: unpack(from) };
  }

  name(): SocketAddress {
    const bytes = new Uint8Array(18);
    check(this.shim.call.weft_socket_name(this.fd, bytes), "getsockname of", "socket");
    return unpack(bytes);
  }

  peer(): SocketAddress {
    const bytes = new Uint8Array(18);
    check(this.shim.call.weft_socket_peer(this.fd, bytes), "getpeername of", "socket");
    return unpack(bytes);
  }
}

/** Creates a socket; it belongs to the given cgroup and namespace for good, whoever uses it. */
export function openSocket(shim: Shim, options: SocketOptions): Socket {
  const { domain, type, cgroupFd = -1, netnsFd = -1, timeoutMs = 2000, nonBlocking = false } = options;
  const kind = nonBlocking ? type | SOCK_NONBLOCK : type;
  const fd = check(shim.call.weft_socket(cgroupFd, netnsFd, domain, kind, 0), "create", "socket");
  check(shim.call.weft_socket_timeout(fd, timeoutMs), "set the time limit of", "socket");
  return new Socket(shim, fd);
}

/** A new network namespace with its loopback up; it is gone with the descriptor and the last socket in it. */
export function createNetns(shim: Shim): number {
  return check(shim.call.weft_netns_create(), "create", "network namespace");
}
