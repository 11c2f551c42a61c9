/** When a size class grows and shrinks, and by how much. Pure: the pool does it. */

/** How full a class may become, and how empty. */
export interface Watermarks {
  /** Grow when used / allocated has come to this. */
  readonly growAt: number;
  /** Shrink when used / allocated has fallen to this, and more than one step is allocated. */
  readonly shrinkAt: number;
  /** Slots are added and freed in multiples of this; 0: it adapts to the class (`stepOf`). */
  readonly step: number;
}

export const defaultWatermarks: Watermarks = { growAt: 0.7, shrinkAt: 0.3, step: 0 };

/** The fill of one class. */
export interface Fill {
  /** Slots that hold a record. */
  readonly used: number;
  /** Slots that hold an inner map: those used, and spares. */
  readonly allocated: number;
}

/** An adaptive step is a quarter of what is used, between these and within these bytes. */
const smallestStep = 4;
const largestStep = 64;
const largestStepBytes = 4 * 1024;

/**
 * The step of a class: small where the class is little used or its inner maps are large, so that spares cost little.
 *
 * @param slotBytes kernel memory of one inner map of the class
 */
export function stepOf(marks: Watermarks, slotBytes: number, used: number): number {
  if (marks.step > 0) return marks.step;
  const byUse = Math.max(smallestStep, Math.ceil(used / 4));
  const byBytes = Math.floor(largestStepBytes / slotBytes);
  return Math.max(1, Math.min(largestStep, byUse, byBytes));
}

/** The least number of slots with which the growth watermark is not reached. */
function least(marks: Watermarks, used: number): number {
  let allocated = Math.max(1, Math.floor(used / marks.growAt));
  while (used / allocated >= marks.growAt) allocated++;
  return allocated;
}

/**
 * How many slots to add (positive), to free (negative), or 0.
 *
 * Shrinking ends where growing would have: what is left is what a new agent would have made, and the growth watermark is
 * not reached.
 *
 * @param next records of the class below may grow into this one: it keeps spares though nothing uses it
 */
export function correction(
  marks: Watermarks,
  { used, allocated }: Fill,
  step: number,
  next: boolean,
): number {
  const keep = used > 0 ? least(marks, used) : next ? Math.min(step, smallestStep) : 0;
  if (allocated < keep) return Math.ceil((keep - allocated) / step) * step;
  if (allocated > step && used / allocated <= marks.shrinkAt) {
    return -Math.floor((allocated - Math.max(keep, 1)) / step) * step || 0;
  }
  return 0;
}
