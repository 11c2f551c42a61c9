/** Turns of the event loop in which it looks for what has come from outside. */

export interface Turns extends AsyncDisposable {
  /**
   * Resolves in the event loop's next turn, when what has come from outside until now is on its way to who waits for it. Takes some 10 µs
   * where nothing has. At once when it is disposed of.
   */
  next(): Promise<void>;
}

/** More than one byte, which is all that is ever on its way: a read that fills its buffer makes the runtime read once more. */
const room = 8;

/**
 * Opens them. Whatever else an event loop waits for, Deno (2.9) may go on with it without a look at sockets: an immediate, a message, what
 * was done on another thread meanwhile. So each turn is a byte that the process sends itself through a UNIX socket: to hear that it has
 * come, Deno has to ask the kernel (epoll_wait(2)), which tells of everything else that has come as well.
 *
 * @throws {Error} where no temporary directory can be made
 */
export async function openTurns(): Promise<Turns> {
  const [from, to] = await openPair();
  const byte = new Uint8Array(1), buffer = new Uint8Array(room);
  let current: Promise<void> | undefined;
  let isOpen = true;

  async function turn(): Promise<void> {
    // Asked for before it is sent: what is there already is read without asking the kernel what else there is.
    await Promise.all([to.read(buffer), from.write(byte)]).finally(() => current = undefined);
  }

  return {
    next: () => isOpen ? current ??= turn() : Promise.resolve(),
    [Symbol.asyncDispose]: async () => {
      isOpen = false;
      await current;
      from.close();
      to.close();
    },
  };
}

/** Two ends of a connection that nobody else can have: their socket is in a directory of this user's, and gone at once. */
async function openPair(): Promise<[Deno.Conn, Deno.Conn]> {
  const directory = await Deno.makeTempDir({ prefix: "weft-turns-" });
  try {
    const path = `${directory}/socket`;
    using listener = Deno.listen({ transport: "unix", path });
    return await Promise.all([Deno.connect({ transport: "unix", path }), listener.accept()]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
