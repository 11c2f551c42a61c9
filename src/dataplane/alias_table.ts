/**
 * Alias tables: one random row and one comparison choose by weight, however many weights there are.
 *
 * Algorithm: M. D. Vose, "A Linear Algorithm for Generating Random Numbers with a Given Distribution", IEEE Transactions on
 * Software Engineering 17(9), 1991; in integers, so that nothing is lost to rounding before the last step.
 */

/** Row i is chosen with probability 1/n; a 32-bit random number below `threshold[i]` then means i, any other `alias[i]`. */
export interface AliasTable {
  readonly threshold: Uint32Array;
  readonly alias: Uint32Array;
}

const range = 2n ** 32n;

/**
 * @param weights 0..4294967295; an item of weight 0 is never chosen
 * @throws {RangeError} where no weight is above 0
 */
export function buildAliasTable(weights: readonly number[]): AliasTable {
  const n = BigInt(weights.length);
  const total = weights.reduce((sum, weight) => sum + BigInt(weight), 0n);
  if (total === 0n) throw new RangeError("an alias table needs a weight above 0");
  const threshold = new Uint32Array(weights.length);
  const alias = Uint32Array.from(weights, (_, i) => i);
  // Each row has room for `total`; an item brings its weight n times.
  const left = weights.map((weight) => BigInt(weight) * n);
  const small = left.flatMap((share, i) => share < total ? [i] : []);
  const large = left.flatMap((share, i) => share >= total ? [i] : []);
  while (small.length > 0 && large.length > 0) {
    const row = small.pop()!;
    const donor = large.at(-1)!;
    threshold[row] = Number(left[row] * range / total);
    alias[row] = donor;
    left[donor] -= total - left[row];
    if (left[donor] < total) {
      large.pop();
      small.push(donor);
    }
  }
  // Sums of integers come out even: what remains is full to the brim, its alias itself.
  for (const row of large) threshold[row] = Number(range - 1n);
  return { threshold, alias };
}
