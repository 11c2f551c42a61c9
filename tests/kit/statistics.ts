/** Whether counts agree with what was expected: Pearson's chi-squared test. */

import assert from "node:assert/strict";

/** Lanczos's approximation (g = 7, nine terms), good to 15 digits. */
function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
  ];
  const sum = coefficients.slice(1).reduce((sum, c, i) => sum + c / (x + i), coefficients[0]);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** The upper regularised incomplete gamma function Q(a, x): a series below a + 1, a continued fraction (Lentz) above. */
function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  const scale = Math.exp(-x + a * Math.log(x) - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; term > sum * 1e-16; n++) sum += term *= x / (a + n);
    return 1 - sum * scale;
  }
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < 1000; i++) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / (Math.abs(an * d + b) < tiny ? tiny : an * d + b);
    c = Math.abs(b + an / c) < tiny ? tiny : b + an / c;
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return h * scale;
}

/** How likely a chi-squared value this large or larger is, where nothing is wrong. */
export function chiSquaredTail(value: number, degreesOfFreedom: number): number {
  return upperGamma(degreesOfFreedom / 2, value / 2);
}

/** The tests draw some hundred samples a run: with this, one run in about a thousand fails for nothing. */
export const significance = 1e-5;

/**
 * Asserts that counts are spread by weight. What has weight 0 must not occur, nor anything without a weight.
 *
 * @param observed name → how often
 * @param weights name → weight
 */
export function assertSpread(
  observed: Readonly<Record<string, number>>,
  weights: Readonly<Record<string, number>>,
): void {
  const total = Object.values(observed).reduce((sum, count) => sum + count, 0);
  const totalWeight = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  for (const [name, count] of Object.entries(observed)) {
    assert.ok(count === 0 || weights[name] > 0, `${name} was chosen ${count} times and has no weight`);
  }
  const expected = Object.entries(weights).filter(([, weight]) => weight > 0)
    .map(([name, weight]) => ({ name, count: total * weight / totalWeight }));
  for (const { name, count } of expected) {
    assert.ok(count >= 5, `too few draws (${total}) to judge ${name}, of which ${count} were expected`);
  }
  if (expected.length === 1) return;
  const value = expected.reduce(
    (sum, { name, count }) => sum + ((observed[name] ?? 0) - count) ** 2 / count,
    0,
  );
  const p = chiSquaredTail(value, expected.length - 1);
  const words = expected.map(({ name, count }) => `${name} ${observed[name] ?? 0} of ${count.toFixed(0)}`);
  assert.ok(p > significance, `not spread by weight (p = ${p.toExponential(1)}): ${words.join(", ")}`);
}
