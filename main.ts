import { startAnew } from "./ffi/mod.ts";
import { commands, reportError, runApp, signalOnInterruption, standardOutput } from "./src/cli/mod.ts";
import { ensureEventInterval } from "./src/host/mod.ts";

if (import.meta.main) {
  const env = (name: string) => Deno.env.get(name);
  const stdout = standardOutput(Deno.stdout, env);
  const stderr = standardOutput(Deno.stderr, env);
  try {
    if (Deno.args[0] === "run") ensureEventInterval(startAnew);
  } catch (error) {
    Deno.exit(reportError(error, { stderr, debug: env("WEFT_DEBUG") === "1" }));
  }
  const exitCode = await runApp(commands, Deno.args, {
    stdout,
    stderr,
    stdinIsTerminal: Deno.stdin.isTerminal(),
    signal: signalOnInterruption(),
    env,
  });
  Deno.exit(exitCode);
}
