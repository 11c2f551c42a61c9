/** Established connections that carry bytes all the while. */

import assert from "node:assert/strict";
import { sleep } from "../../src/host/mod.ts";
import { type AddressPort, type Answer, eventually, type RemoteSocket, type TestNet } from "../kit/mod.ts";

export interface Conversations extends AsyncDisposable {
  /**
   * Asserts that each connection has been answered again, several times from now on, and always by the server and on the connection
   * that it has been from the start.
   */
  readonly goOn: () => Promise<void>;
}

/** One connection to each target, which is asked something 50 times a second and more. */
export async function startConversations(
  net: TestNet,
  targets: readonly AddressPort[],
): Promise<Conversations> {
  await using stack = new AsyncDisposableStack();
  const sockets = stack.use(await net.sockets());
  const open: { target: AddressPort; socket: RemoteSocket; first: Answer }[] = [];
  for (const target of targets) {
    const socket = await sockets.open(target.startsWith("[") ? "tcp6" : "tcp4");
    await socket.connect(target);
    open.push({ target, socket, first: await socket.ask("first") });
  }
  let rounds = 0;
  let failure: unknown;
  let stopped = false;
  const said = ({ server, client }: Answer) => ({ server, client });
  const talking = (async () => {
    while (!stopped) {
      for (const { target, socket, first } of open) {
        const answer = await socket.ask(`${rounds}`);
        assert.deepEqual({ ...said(answer), text: answer.text }, { ...said(first), text: `${rounds}` });
        assert.equal(await socket.peer(), target);
      }
      rounds++;
      await sleep(20);
    }
  })().catch((error) => failure = error);
  stack.defer(async () => {
    stopped = true;
    await talking;
  });
  const owned = stack.move();
  return {
    goOn: async () => {
      const before = rounds;
      await eventually("every connection has been answered again", () => {
        if (failure !== undefined) throw failure;
        return rounds >= before + 3;
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
