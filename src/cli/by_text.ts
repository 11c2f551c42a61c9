/** The order of texts in tables and lists: by code unit, the same whatever the user's language. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
