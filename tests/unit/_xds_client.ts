/** A client of the workload mode beside a fake control plane, in one process. */

import {
  type Client,
  createBackoff,
  createWorkloadProtocol,
  openStream,
  parseTarget,
  type Protocol,
  runClient,
  type TransportOptions,
} from "../../src/xds/mod.ts";
import { eventually } from "../kit/eventually.ts";

export interface TestClient extends AsyncDisposable {
  readonly protocol: Protocol;
  readonly client: Client;
  /** Why streams ended, and how long it then waited at most. */
  readonly ends: { readonly error: string; readonly retryInMs: number }[];
  /** Waits until something holds; looked at after each change. */
  readonly until: (what: string, holds: () => boolean, withinMs?: number) => Promise<void>;
}

export interface TestClientOptions extends Omit<Partial<TransportOptions>, "target"> {
  readonly protocol?: Protocol;
}

/** Who the client says it is. */
export const node = { id: "ztunnel~10.0.0.1~z.istio-system~istio-system.svc.cluster.local" };

/** Connects to `ADDRESS:PORT` or `unix:PATH`, and stays so until it is disposed of. */
export function startClient(target: string, options: TestClientOptions = {}): TestClient {
  const { protocol = createWorkloadProtocol(node), tls, ...transport } = options;
  const abort = new AbortController();
  const ends: { error: string; retryInMs: number }[] = [];
  const client = runClient({
    protocol,
    connect: (method, signal) =>
      openStream({ ...transport, tls, target: parseTarget(target, 15012)! }, method, signal),
    backoff: createBackoff({ most: 200 }),
    onChange: () => {},
    onConnected: () => {},
    onDisconnected: (error, retryInMs) => ends.push({ error, retryInMs }),
  }, abort.signal);
  return {
    protocol,
    client,
    ends,
    until: (what, holds, withinMs) => eventually(what, holds, withinMs),
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await client.done;
    },
  };
}
