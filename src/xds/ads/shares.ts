/** From exact shares of a tier's traffic to the integers that the mesh model takes as weights. */

/** An exact fraction above 0. */
export interface Share {
  readonly of: bigint;
  readonly in: bigint;
}

const maxWeight = 0xffff_ffffn;
/** Beyond it, exact weights would not fit anyway. */
const maxCommon = 1n << 512n;

export function share(of: number, within: number): Share {
  return { of: BigInt(of), in: BigInt(within) };
}

export function times(a: Share, b: Share): Share {
  return { of: a.of * b.of, in: a.in * b.in };
}

export function plus(a: Share, b: Share): Share {
  return { of: a.of * b.in + b.of * a.in, in: a.in * b.in };
}

/**
 * The smallest integers that stand to each other as these shares do. Where one would not fit into 32 bits, all are scaled so that the
 * greatest is 4294967295, and rounded: each is then wrong by less than 2^-32 of the greatest, and none is below 1.
 */
export function weightsOf(shares: readonly Share[]): number[] {
  if (shares.length === 0) return [];
  const exact = exactWeightsOf(shares);
  if (exact !== undefined) return exact;
  const greatest = shares.reduce((a, b) => a.of * b.in >= b.of * a.in ? a : b);
  return shares.map((one) => {
    const above = one.of * greatest.in * maxWeight;
    const below = one.in * greatest.of;
    const rounded = (2n * above + below) / (2n * below);
    return Number(rounded < 1n ? 1n : rounded);
  });
}

function exactWeightsOf(shares: readonly Share[]): number[] | undefined {
  let common = 1n;
  for (const denominator of new Set(shares.map((one) => one.in))) {
    common = (common / divisorOf(common, denominator)) * denominator;
    if (common > maxCommon) return undefined;
  }
  const weights = shares.map((one) => one.of * (common / one.in));
  const divisor = weights.reduce(divisorOf);
  return weights.every((weight) => weight / divisor <= maxWeight)
    ? weights.map((weight) => Number(weight / divisor))
    : undefined;
}

/** The greatest common divisor. */
function divisorOf(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}
