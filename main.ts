import { startAnew } from "./ffi/mod.ts";
import { commands, runApp, signalOnInterruption, standardOutput } from "./src/cli/mod.ts";
import { ensureEventInterval } from "./src/host/mod.ts";

if (import.meta.main) {
  if (Deno.args[0] === "run") ensureEventInterval(startAnew);
  const env = (name: string) => Deno.env.get(name);
  const exitCode = await runApp(commands, Deno.args, {
    stdout: standardOutput(Deno.stdout, env),
    stderr: standardOutput(Deno.stderr, env),
    stdinIsTerminal: Deno.stdin.isTerminal(),
    signal: signalOnInterruption(),
    env,
  });
  Deno.exit(exitCode);
}
