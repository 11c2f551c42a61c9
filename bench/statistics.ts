/** Medians, and how far to trust them. */

/** @param values at least one */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/** The value below which a share of all lies. @param share 0..1 */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

export interface Ratio {
  readonly value: number;
  /** Within which the ratio lies with 95%: the 2.5% and 97.5% quantiles over resampled rounds. */
  readonly interval: readonly [low: number, high: number];
}

/**
 * The ratio of two medians, with an interval by the bootstrap: rounds are drawn anew, with all that was measured in them, as
 * what disturbs a machine disturbs whole rounds.
 *
 * @param above by round
 * @param below by round, as many
 */
export function medianRatio(above: readonly ArrayLike<number>[], below: readonly ArrayLike<number>[]): Ratio {
  const aboveRounds = above.map((round) => median(round));
  const belowRounds = below.map((round) => median(round));
  const resampled = Array.from({ length: 400 }, () => {
    const drawn = above.map(() => Math.floor(Math.random() * above.length));
    return median(drawn.map((i) => aboveRounds[i])) / median(drawn.map((i) => belowRounds[i]));
  });
  const value = median(flatten(above)) / median(flatten(below));
  return { value, interval: [quantile(resampled, 0.025), quantile(resampled, 0.975)] };
}

/** All rounds' values in one. */
export function flatten(rounds: readonly ArrayLike<number>[]): Float64Array {
  const all = new Float64Array(rounds.reduce((sum, round) => sum + round.length, 0));
  let at = 0;
  for (const round of rounds) {
    all.set(Array.from(round), at);
    at += round.length;
  }
  return all;
}
