const sgr = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** How text can stand out. */
export type StyleName = keyof typeof sgr;

/** Marks a text, or gives it back as it is where nothing may be marked. */
export type Style = (name: StyleName, text: string) => string;

/**
 * @param enabled whether the reader is a terminal that wants colour
 */
export function createStyle(enabled: boolean): Style {
  if (!enabled) return (_name, text) => text;
  return (name, text) => `\x1b[${sgr[name][0]}m${text}\x1b[${sgr[name][1]}m`;
}

/** Whether to mark text: only for a terminal, and not where `NO_COLOR` is set or the terminal is `dumb`. */
export function wantsStyle(isTerminal: boolean, env: (name: string) => string | undefined): boolean {
  return isTerminal && !env("NO_COLOR") && env("TERM") !== "dumb";
}
