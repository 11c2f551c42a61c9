/** Edits of a tier's rows at a cost of what changes: the rows that are left keep their places. */

/** What changes of some rows. */
export interface RowsEdit<T> {
  /** How many there are afterwards. */
  readonly length: number;
  /** Those that change, by position. */
  readonly rows: ReadonlyMap<number, T>;
  /** From this position on they are new; before it, all were among the rows already. */
  readonly firstNew: number;
}

/**
 * Removes rows, and appends others: a removed one's place is taken by the last.
 *
 * @param removed positions
 */
export function editRows<T>(
  rows: readonly T[],
  removed: readonly number[],
  added: readonly T[],
): RowsEdit<T> {
  const changed = new Map<number, T>();
  let length = rows.length;
  for (const position of removed.toSorted((a, b) => b - a)) {
    length--;
    if (position < length) changed.set(position, changed.get(length) ?? rows[length]);
    changed.delete(length);
  }
  const firstNew = length;
  for (const row of added) changed.set(length++, row);
  return { length, rows: changed, firstNew };
}

/** A copy with the edit made. */
export function withRows<T>(rows: readonly T[], edit: RowsEdit<T>): T[] {
  const after = rows.slice(0, edit.length);
  for (const [position, row] of edit.rows) after[position] = row;
  return after;
}
