const modified = (path: string) => Deno.statSync(path).mtime?.getTime() ?? 0;

/** Whether what was built is there, and newer than all that it was built from. */
export function isFresh(built: string, sources: readonly string[]): boolean {
  try {
    const at = modified(built);
    return sources.every((file) => modified(file) < at);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
