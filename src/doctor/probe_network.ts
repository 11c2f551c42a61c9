/** A network namespace of the probes' own, with a server in it; it goes with the last file descriptor. */

import {
  AF_INET,
  AF_INET6,
  openSocket,
  type Shim,
  SOCK_DGRAM,
  SOCK_STREAM,
  type Socket,
} from "../../ffi/mod.ts";
import type { SocketAddress } from "../../ffi/mod.ts";
import { addressToBytes, bytesToAddress, type Family, formatAddressPort } from "../mesh/mod.ts";
import { CheckFailed } from "./check.ts";
import { backend, targetPort } from "./probe_mesh.ts";

/** How long one call may take; nothing here takes more than a few milliseconds. */
const timeoutMs = 1000;

/** What sockets are asked to carry. */
export type Transport = typeof SOCK_STREAM | typeof SOCK_DGRAM;

/** How an application reaches an address: an IPv4 one also by an IPv6 socket (IPv4-mapped). */
export interface Route {
  /** Of the socket. */
  readonly domain: typeof AF_INET | typeof AF_INET6;
  /** Of the address. */
  readonly family: Family;
}

export interface ProbeNetwork {
  /** A socket of an application: its connections are balanced. */
  client(route: Route, transport: Transport): Socket;
  /** The service's endpoint; a UDP server, or a TCP one that listens. */
  server(family: Family, transport: Transport): Socket;
}

/** @param cgroupFd what the clients belong to */
export function probeNetwork(shim: Shim, netnsFd: number, cgroupFd: number): ProbeNetwork {
  return {
    client: ({ domain }, type) => openSocket(shim, { domain, type, netnsFd, cgroupFd, timeoutMs }),
    server: (family, type) => {
      const domain = family === 4 ? AF_INET : AF_INET6;
      const socket = openSocket(shim, { domain, type, netnsFd, timeoutMs });
      try {
        socket.bind(at(backend[family], targetPort));
        if (type === SOCK_STREAM) socket.listen();
      } catch (error) {
        socket[Symbol.dispose]();
        throw error;
      }
      return socket;
    },
  };
}

/** @param address canonical text @param port host byte order */
export function at(address: string, port: number): SocketAddress {
  return { address: addressToBytes(address), port };
}

export function addressText({ address, port }: SocketAddress): string {
  return formatAddressPort(bytesToAddress(address), port);
}

/** @throws {CheckFailed} where they are not the same */
export function expectAddress(what: string, got: SocketAddress, wanted: SocketAddress): void {
  const [gotText, wantedText] = [addressText(got), addressText(wanted)];
  if (gotText !== wantedText) throw new CheckFailed(`${what} is ${gotText}, expected ${wantedText}`);
}

/** The server's end of a client's connection; those that an earlier check left waiting are passed over. */
export function acceptFrom(server: Socket, client: Socket): Socket {
  const wanted = addressText(client.name());
  for (;;) {
    const accepted = server.accept();
    if (addressText(accepted.peer()) === wanted) return accepted;
    accepted[Symbol.dispose]();
  }
}

const question = new TextEncoder().encode("weft doctor");

/** Sends a few bytes and sees that they arrive. */
export function sendThrough(from: Socket, to: Socket): void {
  from.send(question);
  expectBytes(to.receive().bytes);
}

/** Answers a datagram to whoever sent it. */
export function answer(server: Socket): void {
  const { bytes, from } = server.receive();
  expectBytes(bytes);
  server.send(question, from);
}

/** @param to for a socket that is not connected */
export function ask(client: Socket, to?: SocketAddress): void {
  client.send(question, to);
}

/** Receives an answer and gives its sender. */
export function receiveAnswer(client: Socket): SocketAddress {
  const { bytes, from } = client.receive();
  expectBytes(bytes);
  return from;
}

function expectBytes(bytes: Uint8Array): void {
  if (bytes.length !== question.length || !bytes.every((byte, i) => byte === question[i])) {
    throw new CheckFailed(`${bytes.length} bytes arrived that are not those sent`);
  }
}
