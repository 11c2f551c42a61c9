/** A backend: answers every TCP connection and every datagram with its name. */

/**
 * Serves TCP and UDP, IPv4 and IPv6, on one port of all addresses until the signal aborts.
 *
 * @param onReady called when both protocols can be reached
 */
export async function serve(
  name: string,
  port: number,
  onReady: () => void,
  signal: AbortSignal,
): Promise<void> {
  const answer = new TextEncoder().encode(name);
  using closer = new DisposableStack();
  const listener = closer.use(Deno.listen({ hostname: "::", port }));
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "::", port });
  closer.defer(() => socket.close());
  const ended = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  onReady();
  await Promise.race([ended, answerConnections(listener, answer), answerDatagrams(socket, answer)]);
}

async function answerConnections(listener: Deno.TcpListener, answer: Uint8Array): Promise<void> {
  for await (const connection of listener) {
    // A client that went away is no concern of its server.
    connection.write(answer).catch(() => {}).finally(() => connection.close());
  }
}

async function answerDatagrams(socket: Deno.DatagramConn, answer: Uint8Array): Promise<void> {
  for await (const [, from] of socket) await socket.send(answer, from);
}
