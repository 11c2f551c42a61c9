/** Long text in pieces: who reads it gets it bit by bit, and the event loop is left to others in between. */

import { type Slices, timedSlices } from "./slices.ts";

/** In UTF-16 code units: some hundred items. */
const pieceLength = 64 * 1024;

/**
 * The texts of items with commas between them, some hundred in one piece, made in slices.
 *
 * @param items made as they are asked for, where making one takes long; `undefined` while the next one is being made
 */
export async function* joined<T>(
  items: Iterable<T | undefined>,
  textOf: (item: T) => string,
  slices: Slices = timedSlices,
): AsyncGenerator<string> {
  const pause = slices();
  let comma = "";
  let piece = "";
  for (const item of items) {
    if (item !== undefined) {
      piece += comma + textOf(item);
      comma = ",";
    }
    const turn = pause();
    if (turn) await turn;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}
