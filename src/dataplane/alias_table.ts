/**
 * Weighted choice in constant time: one random row, one random number, one comparison.
 *
 * A. J. Walker, "An efficient method for generating discrete random variables with general distributions", ACM TOMS
 * 3(3), 1977; built as in M. D. Vose, "A linear algorithm for generating random numbers with a given distribution",
 * IEEE TSE 17(9), 1991, on integers, so that nothing is lost on the way.
 */

/**
 * Row i is picked with probability 1/n; a random 32-bit number below `threshold[i]` then means item i, any other
 * item `alias[i]`.
 */
export interface AliasTable {
  readonly threshold: Uint32Array;
  /** The row itself where it always means itself. */
  readonly alias: Uint32Array;
}

const maxWeight = 0xffff_ffff;
/** How many numbers the random number of a row is one of. */
const numbers = 2 ** 32;
/** Rows × greatest weight, the largest number in here, then stays below 2^53. */
const maxRows = 2 ** 21;

/**
 * The table for items of these weights.
 *
 * An item's probability differs from weight/total by less than 2^-32 (the thresholds have 32 bits); that of an item
 * of weight 0 is exactly 0.
 *
 * @param weights integers 0..4294967295, at most 2,097,152 of them.
 * @throws RangeError for other weights, for too many, and where no weight is above 0: there is nothing to pick.
 */
export function buildAliasTable(weights: readonly number[]): AliasTable {
  const total = totalOf(weights);
  const rows = weights.length;
  const threshold = new Uint32Array(rows).fill(maxWeight);
  const alias = Uint32Array.from(weights.keys());
  // A row holds `total` units, and an item of weight w needs w × rows of them somewhere.
  const units = Float64Array.from(weights, (weight) => weight * rows);
  const under: number[] = [];
  const over: number[] = [];
  units.forEach((need, item) => (need < total ? under : over).push(item));
  for (let item = under.pop(); item !== undefined; item = under.pop()) {
    // The items left need as many units as their rows hold: where one needs less, another one needs more.
    const donor = over[over.length - 1];
    // Rounded up to all numbers, the row means the item itself, as it does already.
    const mine = Math.round((units[item] / total) * numbers);
    if (mine < numbers) {
      threshold[item] = mine;
      alias[item] = donor;
    }
    units[donor] -= total - units[item];
    if (units[donor] < total) {
      over.pop();
      under.push(donor);
    }
  }
  return { threshold, alias };
}

function totalOf(weights: readonly number[]): number {
  if (weights.length > maxRows) {
    throw new RangeError(`an alias table holds at most ${maxRows} weights, not ${weights.length}`);
  }
  let total = 0;
  weights.forEach((weight, item) => {
    if (!Number.isInteger(weight) || weight < 0 || weight > maxWeight) {
      throw new RangeError(`weight ${weight} of item ${item} is not an integer from 0 to ${maxWeight}`);
    }
    total += weight;
  });
  if (total === 0) throw new RangeError("an alias table needs a weight above 0: no item could be picked");
  return total;
}
