/** When an endpoint is set aside and for how long; the words are Envoy's. */
export interface OutlierSettings {
  /** After so many failed connects in a row an endpoint is set aside. */
  readonly consecutiveFailures: number;
  /** How long it is set aside the first time, in milliseconds; each further time in a row twice as long. */
  readonly baseEjectionMs: number;
  /** The longest time, in milliseconds; never less than the first. */
  readonly maxEjectionMs: number;
  /** The most that may be aside of the last tier that has endpoints, 0..100. */
  readonly maxEjectionPercent: number;
}

/** As Envoy has them, but for the share, which there is 10%. */
export const defaultOutlierSettings: OutlierSettings = {
  consecutiveFailures: 5,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 50,
};

/**
 * How long an endpoint is set aside.
 *
 * @param times how often in a row, from 1
 * @returns milliseconds
 */
export function ejectionMs(times: number, { baseEjectionMs, maxEjectionMs }: OutlierSettings): number {
  return Math.min(baseEjectionMs * 2 ** (times - 1), Math.max(baseEjectionMs, maxEjectionMs));
}
