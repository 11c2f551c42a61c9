/**
 * Lets grpc-js speak on a connection that it did not open.
 *
 * grpc-js connects by itself, to an address, and then hands the socket to its credentials, which may secure it and say which socket to go
 * on with. So it is sent to an address where it certainly gets one, a UNIX socket of this process, and its credentials go on with another.
 */

import type { Socket } from "node:net";
import type { ChannelCredentials } from "@grpc/grpc-js";

/** To be disposed of when the connection is there, or will not be. */
export interface Dialled extends Disposable {
  /** Where grpc-js is to connect to. */
  readonly target: string;
  readonly credentials: ChannelCredentials;
}

/**
 * @param credentials for one channel, which nobody else uses; they are changed
 * @param dial opens the connection
 */
export function dialled(credentials: ChannelCredentials, dial: () => Promise<Socket>): Dialled {
  const directory = Deno.makeTempDirSync({ prefix: "weft-xds-" });
  const path = `${directory}/connect.sock`;
  // Whoever connects is connected, though nobody ever accepts.
  const listener = Deno.listen({ transport: "unix", path });
  const create = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...args) => {
    const connector = create(...args);
    return {
      waitForReady: () => connector.waitForReady(),
      getCallCredentials: () => connector.getCallCredentials(),
      destroy: () => connector.destroy(),
      connect: async (unused) => {
        unused.destroy();
        return await connector.connect(await dial());
      },
    };
  };
  return {
    target: `unix:${path}`,
    credentials,
    [Symbol.dispose]: () => {
      listener.close();
      Deno.removeSync(directory, { recursive: true });
    },
  };
}
