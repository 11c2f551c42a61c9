/** Sockets in another namespace and cgroup, one system call at a time. */

import { z } from "zod";
import { type Place, spawn } from "../../src/host/mod.ts";
import { type AddressPort, split } from "./address.ts";
import { expectReady } from "./hammer.ts";
import { patience } from "./slow.ts";

/** A system call failed there. */
export class SocketError extends Error {
  override readonly name = "SocketError";

  /** @param code such as `ECONNREFUSED` */
  constructor(readonly operation: string, readonly code: string) {
    super(`${operation}: ${code}`);
  }
}

export type SocketKind = "tcp4" | "tcp6" | "udp4" | "udp6" | "mptcp4" | "mptcp6";

/** What a server of the kit answers. */
export interface Answer {
  /** The server's name. */
  readonly server: string;
  /** The client, as the server sees it. */
  readonly client: AddressPort;
  /** What was asked; empty over TCP. */
  readonly text: string;
  /** The sender as recvfrom() names it; `none` over TCP. */
  readonly from: AddressPort;
}

/** One socket. An IPv4 address on a `6` socket is passed as it is (AF_INET); `mapped()` makes it an IPv4-mapped one. */
export interface RemoteSocket {
  readonly bind: (to: AddressPort) => Promise<void>;
  readonly connect: (to: AddressPort) => Promise<void>;
  /** connect() to AF_UNSPEC */
  readonly disconnect: () => Promise<void>;
  readonly nonBlocking: () => Promise<void>;
  /** Waits until a non-blocking connect is done. */
  readonly connected: () => Promise<void>;
  readonly send: (text: string) => Promise<void>;
  readonly sendTo: (text: string, to: AddressPort) => Promise<void>;
  /** TCP Fast Open: connects with the first bytes. */
  readonly fastOpen: (text: string, to: AddressPort) => Promise<void>;
  readonly receive: () => Promise<Answer>;
  /** Sends and receives. */
  readonly ask: (text: string, to?: AddressPort) => Promise<Answer>;
  readonly peer: () => Promise<AddressPort>;
  readonly address: () => Promise<AddressPort>;
  readonly close: () => Promise<void>;
}

/** A process with sockets; they are closed with it. */
export interface Sockets extends AsyncDisposable {
  readonly pid: number;
  /** @param timeoutMs for each call @default 2000, patiently */
  readonly open: (kind: SocketKind, timeoutMs?: number) => Promise<RemoteSocket>;
  /** Opens and connects many at once; fewer than asked for, with the error that ended it, where one fails. */
  readonly openMany: (
    kind: SocketKind,
    count: number,
    to: AddressPort,
  ) => Promise<{ sockets: RemoteSocket[]; error?: string }>;
  /** Lets getaddrinfo() see other lines in /etc/hosts. */
  readonly setHosts: (lines: readonly string[]) => Promise<void>;
  readonly getAddrInfo: (name: string, port: number) => Promise<AddressPort[]>;
}

const nothing = z.object({});
const fd = z.number().int();

function parseAnswer({ text, from }: { text: string; from: string }): Answer {
  const [server, client, ...rest] = text.split(" ");
  return { server, client, text: rest.join(" "), from };
}

/** Starts the process. */
export async function startSockets(program: string, place: Place): Promise<Sockets> {
  const child = spawn([program, "shell"], place);
  await expectReady(child);

  const call = async <T>(schema: z.ZodType<T>, ...words: (string | number)[]): Promise<T> => {
    await child.write(words.join(" "));
    const { value } = await child.lines.next();
    if (value === undefined) throw new Error(`the peer program ended: ${child.said()}`);
    const answer: unknown = JSON.parse(value);
    const failed = z.object({ error: z.string() }).safeParse(answer);
    const usable = schema.safeParse(answer);
    if (failed.success && !(usable.success && words[0] === "many")) {
      throw new SocketError(String(words[0]), failed.data.error);
    }
    return usable.success ? usable.data : schema.parse(answer);
  };
  const to = (target: AddressPort) => {
    const { address, port } = split(target);
    return [address, port] as const;
  };
  const name = z.object({ address: z.string() });
  const remote = (fd: number, timeoutMs: number): RemoteSocket => {
    const plain = async (...words: (string | number)[]) => void await call(nothing, ...words);
    const receive = async () =>
      parseAnswer(await call(z.object({ text: z.string(), from: z.string() }), "receive", fd));
    const send = (text: string) => plain("send", fd, text);
    const sendTo = (text: string, target: AddressPort) => plain("sendto", fd, text, ...to(target));
    return {
      bind: (target) => plain("bind", fd, ...to(target)),
      connect: (target) => plain("connect", fd, ...to(target)),
      disconnect: () => plain("disconnect", fd),
      nonBlocking: () => plain("nonblock", fd),
      connected: () => plain("wait", fd, timeoutMs),
      send,
      sendTo,
      fastOpen: (text, target) => plain("fastopen", fd, text, ...to(target)),
      receive,
      ask: async (text, target) => {
        await (target === undefined ? send(text) : sendTo(text, target));
        return await receive();
      },
      peer: async () => (await call(name, "peer", fd)).address,
      address: async () => (await call(name, "name", fd)).address,
      close: () => plain("close", fd),
    };
  };
  const hosts = await Deno.makeTempFile({ prefix: "weft-test-hosts-" });
  return {
    pid: child.pid,
    open: async (kind, timeoutMs = patience(2000)) =>
      remote((await call(z.object({ fd }), "socket", kind, timeoutMs)).fd, timeoutMs),
    openMany: async (kind, count, target) => {
      const schema = z.object({ fds: z.array(fd), error: z.string().optional() });
      const timeoutMs = patience(2000);
      const { fds, error } = await call(schema, "many", kind, count, ...to(target), timeoutMs);
      return { sockets: fds.map((fd) => remote(fd, timeoutMs)), error };
    },
    setHosts: async (lines) => {
      await Deno.writeTextFile(hosts, `${lines.join("\n")}\n`);
      await call(nothing, "cover", hosts, "/etc/hosts");
    },
    getAddrInfo: async (name, port) =>
      (await call(z.object({ addresses: z.array(z.string()) }), "getaddrinfo", name, port)).addresses,
    [Symbol.asyncDispose]: async () => {
      await child[Symbol.asyncDispose]();
      await Deno.remove(hosts);
    },
  };
}
