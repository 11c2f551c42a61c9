/** Equality of model values by contents. */

/**
 * Whether two values of the mesh model say the same: primitives, plain objects, arrays, and maps with primitive
 * keys. The order of an array matters, that of a map or an object does not.
 */
export function sameContents(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameContents(item, b[i]));
  }
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [key, value] of a) {
      if (!b.has(key) || !sameContents(value, b.get(key))) return false;
    }
    return true;
  }
  return !Array.isArray(b) && !(b instanceof Map) && sameFields(a, b);
}

function sameFields(a: object, b: object): boolean {
  const fields: Record<string, unknown> = { ...a };
  const others: Record<string, unknown> = { ...b };
  const names = Object.keys(fields);
  if (names.length !== Object.keys(others).length) return false;
  return names.every((name) => Object.hasOwn(others, name) && sameContents(fields[name], others[name]));
}
