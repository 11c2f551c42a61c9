/** A TCP proxy that a test lets fail: between a client and a server it can cut connections, in the middle of a message too, or fall silent. */

export interface TcpProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** Connections that were made so far. */
  readonly connections: number;
  /** Cuts all connections. */
  readonly cut: () => void;
  /** Cuts each connection as soon as so many more bytes have come from the server. */
  readonly cutAfter: (bytes: number) => void;
  /** Passes nothing on any more, in either direction, until `resume`. Connections stay. */
  readonly stall: () => void;
  readonly resume: () => void;
}

/** @param to gives `ADDRESS:PORT` for each connection */
export function createTcpProxy(to: () => string): TcpProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  let connections = 0;
  let left = Infinity;
  let gate: PromiseWithResolvers<void> | undefined;

  function cut(): void {
    for (const conn of open) {
      try {
        conn.close();
      } catch {
        // It has closed itself.
      }
    }
    open.clear();
  }

  async function pass(from: Deno.Conn, into: Deno.Conn, counted: boolean): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const count = await from.read(buffer);
        if (count === null) break;
        await gate?.promise;
        let rest = buffer.subarray(0, counted ? Math.min(count, left) : count);
        while (rest.length > 0) rest = rest.subarray(await into.write(rest));
        if (counted && (left -= count) <= 0) {
          left = Infinity;
          cut();
        }
      }
    } catch {
      // One side was cut.
    }
    for (const conn of [from, into]) {
      try {
        conn.close();
      } catch {
        // It is closed.
      }
      open.delete(conn);
    }
  }

  async function serve(): Promise<void> {
    for await (const client of listener) {
      connections++;
      const [hostname, port] = to().split(":");
      const server = await Deno.connect({ hostname, port: Number(port) }).catch(() => undefined);
      if (server === undefined) client.close();
      else {
        open.add(client).add(server);
        pass(client, server, false);
        pass(server, client, true);
      }
    }
  }

  const served = serve();
  return {
    address: `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    get connections() {
      return connections;
    },
    cut,
    cutAfter: (bytes) => left = bytes,
    stall: () => gate ??= Promise.withResolvers(),
    resume: () => {
      gate?.resolve();
      gate = undefined;
    },
    [Symbol.asyncDispose]: async () => {
      gate?.resolve();
      listener.close();
      cut();
      await served;
    },
  };
}
