import type { z } from "zod";

/** Asks the agent of a pin root; commands that show what it knows share this. */
export async function ask<T>(
  flags: { readonly "pin-root": string; readonly socket: string | undefined },
  path: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const [{ runtimePaths }, { askAgent }] = await Promise.all([
    import("../agent/runtime_paths.ts"),
    import("../observe/admin_client.ts"),
  ]);
  return await askAgent(
    runtimePaths(flags["pin-root"].replace(/(?<=.)\/+$/, ""), flags.socket).socket,
    path,
    schema,
  );
}
