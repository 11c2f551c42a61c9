import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

const interruptedModule = new URL("../../src/cli/interrupted.ts", import.meta.url).href;

/** A process that cleans up for a while once it is interrupted; says `ready` and `cleaned`. */
function spawnCleaner(cleaningMs: number): Deno.ChildProcess {
  const code = `
    import { signalOnInterruption } from "${interruptedModule}";
    const signal = signalOnInterruption();
    const working = setInterval(() => {}, 1000);
    console.log("ready");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    await new Promise((resolve) => setTimeout(resolve, ${cleaningMs}));
    console.log("cleaned");
    Deno.exit(signal.reason.exitCode);`;
  return new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", code], stdout: "piped" }).spawn();
}

/** Interrupts a cleaner `gapsMs.length` times, each time after that gap, and waits for its end. */
async function interrupt(cleaner: Deno.ChildProcess, signal: Deno.Signal, gapsMs: readonly number[]) {
  let output = "";
  const reading = (async () => {
    for await (const text of cleaner.stdout.pipeThrough(new TextDecoderStream())) output += text;
  })();
  while (!output.includes("ready")) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const gap of gapsMs) {
    await new Promise((resolve) => setTimeout(resolve, gap));
    cleaner.kill(signal);
  }
  const { code } = await cleaner.status;
  await reading;
  return { code, cleaned: output.includes("cleaned") };
}

describe("signalOnInterruption", () => {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    it(`lets the process clean up on ${signal}, also where copies of it follow`, async () => {
      assert.deepEqual(await interrupt(spawnCleaner(300), signal, [0, 50, 50]), { code, cleaned: true });
    });
  }

  it("ends the process at once when somebody asks again", async () => {
    assert.deepEqual(await interrupt(spawnCleaner(60_000), "SIGINT", [0, 1200]), {
      code: 130,
      cleaned: false,
    });
  });
});
