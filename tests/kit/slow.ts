/** Tests also run on emulated processors, many times slower: WEFT_TEST_SLOW=20 says how many. */

const factor = Number(Deno.env.get("WEFT_TEST_SLOW") ?? 1);
if (!(factor >= 1)) throw new RangeError("WEFT_TEST_SLOW must be a number of at least 1");

/** How long to wait for what should take at most `ms` on a real machine, in milliseconds. */
export function patience(ms: number): number {
  return Math.ceil(ms * factor);
}

/** How many a second to do of what a real machine does `perSecond` of; at least 1. */
export function rate(perSecond: number): number {
  return Math.max(1, Math.round(perSecond / factor));
}

/** How often to repeat what a real machine repeats `count` times; at least `least`. */
export function repetitions(count: number, least: number): number {
  return Math.max(least, Math.round(count / factor));
}
