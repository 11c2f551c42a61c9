const millisecondsPerUnit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration such as `200ms`, `1.5s`, `1m30s` or `0`.
 *
 * @returns milliseconds, or `undefined` where the text is no duration
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * millisecondsPerUnit[unit];
  }
  return Number.isSafeInteger(Math.round(total)) ? total : undefined;
}
