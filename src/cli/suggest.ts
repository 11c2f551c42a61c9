/**
 * The candidate that was probably meant.
 *
 * @returns `undefined` where none is near: within two edits or a third of the word, or begun by it
 */
export async function suggest(word: string, candidates: readonly string[]): Promise<string | undefined> {
  // Imported here, for the first npm module costs 20 ms and a right command line needs none.
  const { closest, distance } = await import("fastest-levenshtein");
  const lower = word.toLowerCase();
  const begun = candidates.filter((candidate) => lower.length >= 2 && candidate.startsWith(lower));
  if (begun.length === 1) return begun[0];
  if (candidates.length === 0) return undefined;
  const best = closest(lower, candidates);
  const allowed = Math.min(Math.max(2, Math.floor(lower.length / 3)), best.length - 1);
  return distance(lower, best) <= allowed ? best : undefined;
}
