import { sleep } from "./sleep.ts";

/** Sends a signal; `false` where the process is gone. */
function send(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ESRCH") return false;
    throw error;
  }
}

/** Gone, or a zombie that only waits for its parent. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return true;
  }
}

/**
 * Ends processes by their ids: SIGTERM, and SIGKILL for those that are still there after the grace time. Returns when all are gone.
 *
 * @param graceMs @default 2000
 */
export async function endProcesses(pids: readonly number[], graceMs = 2000): Promise<void> {
  let left = pids.filter((pid) => send(pid, "SIGTERM"));
  const end = performance.now() + graceMs;
  while ((left = left.filter((pid) => !isGone(pid))).length > 0) {
    if (performance.now() > end) { for (const pid of left) send(pid, "SIGKILL"); }
    await sleep(10);
  }
}
