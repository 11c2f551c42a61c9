/** Follows a file whoever changes it and however: editors that rename, ConfigMaps that swap symbolic links. */

export interface WatchOptions {
  /** How long the file must have been still before a change is told, in milliseconds. @default {200} */
  readonly stillMs?: number;
  /** How often it is looked at, in milliseconds. @default {50} */
  readonly pollMs?: number;
  readonly signal: AbortSignal;
}

/** What tells one version of a file from another: asked of the file that the path leads to, through all links. */
async function fingerprint(path: string): Promise<string> {
  try {
    const info = await Deno.stat(path);
    return [info.dev, info.ino, info.size, info.mtime?.getTime(), info.ctime?.getTime(), info.isFile].join(
      " ",
    );
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "missing" : `unreadable: ${error}`;
  }
}

/**
 * Yields whenever the file has changed and then been still. Its disappearance is a change like any other.
 *
 * It polls: inotify sees neither what happens behind a symbolic link in another directory nor on network file systems, and
 * one stat a twentieth of a second costs nothing.
 *
 * Ends when the signal aborts.
 */
export async function* watchFile(path: string, options: WatchOptions): AsyncGenerator<void> {
  const { stillMs = 200, pollMs = 50, signal } = options;
  let told = await fingerprint(path);
  let last = told;
  let since = performance.now();
  while (!signal.aborted) {
    await pause(pollMs, signal);
    const now = await fingerprint(path);
    if (now !== last) {
      last = now;
      since = performance.now();
    }
    if (last !== told && performance.now() - since >= stillMs && !signal.aborted) {
      told = last;
      yield;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
