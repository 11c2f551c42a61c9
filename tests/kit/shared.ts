/**
 * The directory with fixtures that several projects share: WEFT_SHARED, else `../shared` beside the checkout; `undefined`, after one
 * loud line, where neither exists.
 *
 * @param what is skipped without it
 */
export function sharedDirectory(what: string): string | undefined {
  const path = Deno.env.get("WEFT_SHARED") ?? new URL("../../../shared", import.meta.url).pathname;
  try {
    if (Deno.statSync(path).isDirectory) return path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  console.log(`SKIPPED, for there is no directory ${path} (set WEFT_SHARED): ${what}`);
  return undefined;
}
