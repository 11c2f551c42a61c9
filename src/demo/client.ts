/** The client: an ordinary program that knows nothing of weft and calls a VIP over and over. */

import { type CallCount, families, protocols } from "./call.ts";
import { frontend } from "./mesh.ts";

/** A call without an answer fails after this time, in milliseconds. */
const timeoutMs = 1000;

/** How often the client tells how its calls ended, in milliseconds. */
const reportEveryMs = 50;

/** Calls a second of each kind. */
const rates = { TCP: { 4: 200, 6: 100 }, UDP: { 4: 100, 6: 100 } } as const;

type Family = typeof families[number];

/** Calls the demo's frontend until the signal aborts, and tells about 20 times a second how the calls ended. */
export async function callForever(
  report: (counts: readonly CallCount[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const counts = new Map<string, CallCount>();
  const add = (result: Omit<CallCount, "count">) => {
    const key = JSON.stringify(result);
    counts.set(key, { ...result, count: (counts.get(key)?.count ?? 0) + 1 });
  };
  const timer = setInterval(() => {
    report([...counts.values()]);
    counts.clear();
  }, reportEveryMs);
  const call = { TCP: callTcp, UDP: callUdp };
  const kinds = protocols.flatMap((protocol) => families.map((family) => ({ protocol, family })));
  try {
    await Promise.all(
      kinds.map(({ protocol, family }) =>
        repeat(rates[protocol][family], signal, async () => {
          try {
            const backend = await inTime((signal) => call[protocol](family, signal));
            add({ protocol, family, backend, error: null });
          } catch (error) {
            add({ protocol, family, backend: null, error: reasonOf(error) });
          }
        })
      ),
    );
  } finally {
    clearInterval(timer);
  }
}

/** Does something so many times a second, one after the other. */
async function repeat(perSecond: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const intervalMs = 1000 / perSecond;
  let next = performance.now();
  while (!signal.aborted) {
    await work();
    // Time that a slow call took is not made up for by a burst.
    next = Math.max(next + intervalMs, performance.now() - intervalMs);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
  }
}

/** Does something with a signal that aborts after the timeout. */
async function inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    throw new Error(`no answer within ${timeoutMs} ms`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** One connection. @returns who answered */
async function callTcp(family: Family, signal: AbortSignal): Promise<string> {
  using connection = await Deno.connect({
    hostname: frontend.addresses[family],
    port: frontend.port,
    signal,
    autoSelectFamily: false,
  });
  signal.addEventListener("abort", () => connection.close(), { once: true });
  checkPeer(connection.remoteAddr, family);
  return await new Response(connection.readable).text();
}

/** One datagram from a socket of its own, and its reply. @returns who answered */
async function callUdp(family: Family, signal: AbortSignal): Promise<string> {
  const hostname = family === 4 ? "0.0.0.0" : "::";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  using closer = new DisposableStack();
  closer.defer(() => socket.close());
  // Closing ends the wait; what is thrown then is told as a timeout.
  signal.addEventListener("abort", () => closer.dispose(), { once: true });
  const to = { transport: "udp", hostname: frontend.addresses[family], port: frontend.port } as const;
  await socket.send(new TextEncoder().encode("who are you?"), to);
  const [answer, from] = await socket.receive();
  checkPeer(from, family);
  return new TextDecoder().decode(answer);
}

/** Which backend it really was is none of an application's business: the other side must look like the VIP. */
function checkPeer(peer: Deno.Addr, family: Family): void {
  const { addresses, port } = frontend;
  if ("hostname" in peer && peer.hostname === addresses[family] && peer.port === port) return;
  const shown = "hostname" in peer ? `${peer.hostname} port ${peer.port}` : peer.transport;
  throw new Error(`the peer shows as ${shown} instead of the VIP`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
