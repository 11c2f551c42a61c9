/**
 * `@std/cli/unicode-width`. The real code's npm copy lacks its data file, so the width comes from `string-width`.
 *
 * @module
 */

import stringWidth from "string-width";

/**
 * How many columns of a terminal a string takes. Control sequences are not recognised: measure before styling.
 *
 * @param str One line of text.
 */
export function unicodeWidth(str: string): number {
  return stringWidth(str, { countAnsiEscapeCodes: true });
}
