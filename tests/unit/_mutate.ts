/** Messages with something wrong, for fuzzing. */

import { repetitions } from "../kit/slow.ts";

/** How many rounds: WEFT_FUZZ (100000, say), else as many as take a few seconds. */
export function fuzzRounds(quick: number): number {
  return Number(Deno.env.get("WEFT_FUZZ") ?? repetitions(quick, quick / 10));
}

/** A message with a few things wrong. @param others parts of which may come in */
export function mutate(random: () => number, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  const below = (n: number) => Math.floor(random() * n);
  switch (below(6)) {
    case 0: // Cut off.
      return bytes.slice(0, below(bytes.length));
    case 1: { // A part of it goes.
      const at = below(bytes.length);
      return Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + below(20)));
    }
    case 2: { // A part of another one comes in.
      const other = others[below(others.length)];
      const [at, from] = [below(bytes.length), below(other.length)];
      const part = other.subarray(from, from + below(200));
      return Uint8Array.of(...bytes.subarray(0, at), ...part, ...bytes.subarray(at));
    }
    case 3: // Nothing of it is left.
      return Uint8Array.from({ length: below(300) }, () => below(256));
    default: { // Bits flip.
      const flipped = bytes.slice();
      for (let i = below(5); i >= 0; i--) flipped[below(flipped.length)] ^= 1 << below(8);
      return flipped;
    }
  }
}
