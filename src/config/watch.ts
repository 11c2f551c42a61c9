/** Notices that a file has changed, whatever an editor or an orchestrator does to change it. */

import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface WatchOptions {
  /**
   * How long, in milliseconds, a changed file must then stay as it is before it is told.
   *
   * @default {200}
   */
  readonly stillMs?: number;
  /**
   * Time between two looks at the file, in milliseconds.
   *
   * @default {100}
   */
  readonly pollMs?: number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/**
 * Tells each time the file at a path has changed and has then been still for a while. Being removed, and being there
 * again, are changes as well.
 *
 * A change is one since the call: call this first and read the file then, and no change is missed. The path is looked
 * at anew each time, through all symbolic links (a Kubernetes ConfigMap changes by a link in the middle of the path),
 * so a file that takes another's place is seen though its size and times be the same. It polls, because a watch on
 * directories would have to follow each of those links.
 */
export function watchFile(path: string, options: WatchOptions): AsyncGenerator<void, void, void> {
  return changes(path, fingerprint(path), options);
}

async function* changes(
  path: string,
  baseline: string,
  options: WatchOptions,
): AsyncGenerator<void, void, void> {
  const { stillMs = 200, pollMs = 100, signal } = options;
  let told = baseline;
  let seen = baseline;
  let seenSince = 0;
  while (await pause(pollMs, signal)) {
    const current = fingerprint(path);
    if (current !== seen) {
      seen = current;
      seenSince = performance.now();
    } else if (seen !== told && performance.now() - seenSince >= stillMs) {
      told = seen;
      yield;
    }
  }
}

/** Waits; `false` where the signal came first. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** What differs between two states of the file at a path; the reason where there is none to be seen. */
function fingerprint(path: string): string {
  try {
    // Nanoseconds and exact inode numbers need the bigint form.
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
