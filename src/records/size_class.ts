/**
 * Size classes: the capacities that inner maps come in. Four to an octave, so that a record leaves at most a fifth of its
 * inner map unused (an eighth on average; powers of two leave up to a half), and a growing record moves once per quarter.
 *
 *     1 2 3 4 5 6 7 8 10 12 14 16 20 24 28 32 40 …
 */

import { RecordError } from "./record_error.ts";

/** The longest record that a tier's word can name: its count has 30 bits (bpf/types.h). Memory ends long before. */
export const maxLength = 2 ** 30 - 1;

/** Those below are one apart. */
const firstOctave = 8;

/** How many classes there are. */
export const classCount = classOf(maxLength) + 1;

/** The entries that a class's inner maps have room for. */
export function capacityOf(sizeClass: number): number {
  if (sizeClass < firstOctave) return sizeClass + 1;
  const octave = 2 ** Math.floor((sizeClass - firstOctave) / 4);
  return firstOctave * octave + 2 * octave * ((sizeClass - firstOctave) % 4 + 1);
}

/** The smallest class that holds `length` entries, a positive integer. */
export function classOf(length: number): number {
  if (length <= firstOctave) return length - 1;
  // The octave (8, 16], (16, 32], … and the quarter in it.
  const octave = 28 - Math.clz32(length - 1);
  const quarter = Math.ceil((length - firstOctave * 2 ** octave) / (2 * 2 ** octave));
  return firstOctave + 4 * octave + quarter - 1;
}

/** The class whose records an inner map of this capacity can hold: one that somebody made may have any. */
export function classServedBy(capacity: number): number {
  const sizeClass = classOf(capacity);
  return capacityOf(sizeClass) === capacity ? sizeClass : sizeClass - 1;
}

/** The entries that an inner map for `length` entries has room for. @throws {RecordError} for what is no length */
export function capacityFor(length: number): number {
  return capacityOf(classOf(checkLength(length)));
}

/** @throws {RecordError} for 0, negative numbers, fractions, and what no tier's word can name */
export function checkLength(length: number): number {
  if (Number.isInteger(length) && length >= 1 && length <= maxLength) return length;
  throw new RecordError(`a record cannot have ${length} entries: 1 to ${maxLength} are possible`);
}
