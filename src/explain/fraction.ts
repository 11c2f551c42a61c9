/** A share as an exact fraction in lowest terms, such as `1/3`. */
export function fraction(part: bigint, whole: bigint): string {
  let [a, b] = [part, whole];
  while (b !== 0n) [a, b] = [b, a % b];
  return `${part / a}/${whole / a}`;
}
