import { sleep } from "../../src/host/mod.ts";
import { patience } from "./slow.ts";

/**
 * Waits until a condition holds.
 *
 * @param what completes "waited too long until …"
 * @param withinMs patiently
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 5000,
): Promise<void> {
  const end = performance.now() + patience(withinMs);
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`waited too long until ${what}`);
    await sleep(20);
  }
}
