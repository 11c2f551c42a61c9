/** The command that starts this very program once more: the compiled binary, or `main.ts` under Deno. */
export function ownCommand(args: readonly string[]): string[] {
  if (Deno.build.standalone) return [Deno.execPath(), ...args];
  return [Deno.execPath(), "run", "--quiet", "-A", "--unstable-net", Deno.mainModule, ...args];
}

/** Blanks the variables that stand for flags: a child does what its command line says and nothing else. */
export function ownEnvironment(): Record<string, string> {
  const names = Object.keys(Deno.env.toObject());
  return Object.fromEntries(
    names.filter((name) => name.startsWith("WEFT_") && name !== "WEFT_DEBUG").map((name) => [name, ""]),
  );
}
