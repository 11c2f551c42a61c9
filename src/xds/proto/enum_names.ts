/** Enums are numbers on the wire, and a newer control plane may know more of them than weft. */

/**
 * The name of an enum's value; the number where it has none.
 *
 * @param names by number
 */
export function enumName(names: readonly string[], value: number): string {
  return names[value] ?? String(value);
}
