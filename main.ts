import { commands, runApp, signalOnInterruption, standardOutput } from "./src/cli/mod.ts";

if (import.meta.main) {
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
