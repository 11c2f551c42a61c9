/** Texts from a file in messages for people: on one line and not too long. */

/** Characters of a text that a message repeats; namespaces and host names have at most 63 and 253. */
const maxLength = 320;

/** A text without its end, where it is long. */
export function shorten(text: string): string {
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

/** A text in quotes, without its end where it is long. */
export function quote(text: string): string {
  return JSON.stringify(shorten(text));
}

/** A line that can't break: control characters are written as escapes. */
export function oneLine(line: string): string {
  // deno-lint-ignore no-control-regex
  return line.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
