/** Turns of the event loop in which it looks for what has come from outside. */

export interface Turns extends AsyncDisposable {
  /**
   * Resolves after a turn of the event loop that began after this was called: what had come from outside is then on its way to who waits
   * for it. Takes some 10 µs where nothing has, 2 ms once it is disposed of.
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
 * @param path where the socket is for a moment, in a directory of this user's alone; what is there is removed
 * @throws {Error} where there can be no socket
 */
export async function openTurns(path: string): Promise<Turns> {
  const [from, to] = await openPair(path);
  const byte = new Uint8Array(1), buffer = new Uint8Array(room);
  let isOpen = true;
  let last = Promise.resolve();

  async function turn(): Promise<void> {
    // Asked for before it is sent: what is there already is read without asking the kernel what else there is.
    const [read] = isOpen ? await Promise.all([to.read(buffer), from.write(byte)]).catch(() => []) : [];
    // Nobody but this process has the ends, so only in its own last moments.
    if (!read) await timerTurn();
  }

  return {
    next: () => last = last.then(turn),
    [Symbol.asyncDispose]: async () => {
      if (!isOpen) return;
      isOpen = false;
      await last;
      from.close();
      to.close();
    },
  };
}

/** A timer of no time, in which Deno looks for what has come from outside as well; but it takes 2 ms. */
export function timerTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Two ends of a connection that nobody else can have: when they are there the socket is gone. */
async function openPair(path: string): Promise<[Deno.Conn, Deno.Conn]> {
  await Deno.remove(path).catch(() => {});
  using listener = Deno.listen({ transport: "unix", path });
  try {
    return await Promise.all([Deno.connect({ transport: "unix", path }), listener.accept()]);
  } finally {
    await Deno.remove(path);
  }
}
