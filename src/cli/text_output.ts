import { createStyle, type Style, wantsStyle } from "./style.ts";

/** Where a command writes text. */
export interface TextOutput {
  /** Writes all of the text before it returns; a line's end is the caller's. */
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Columns that a line may take. */
  readonly width: number;
  /** Marks text where the reader is a terminal that wants it. */
  readonly style: Style;
}

/** The part of `Deno.stdout` and `Deno.stderr` that is needed. */
export interface StandardStream {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/** Width where there is no terminal to ask. */
const defaultWidth = 100;

/** Output to one of the process's standard streams. */
export function standardOutput(
  stream: StandardStream,
  env: (name: string) => string | undefined,
): TextOutput {
  const isTerminal = stream.isTerminal();
  const encoder = new TextEncoder();
  return {
    write(text) {
      const bytes = encoder.encode(text);
      for (let written = 0; written < bytes.length;) written += stream.writeSync(bytes.subarray(written));
    },
    isTerminal,
    width: isTerminal ? terminalWidth() : defaultWidth,
    style: createStyle(wantsStyle(isTerminal, env)),
  };
}

function terminalWidth(): number {
  try {
    // A terminal whose size nobody has set says 0.
    return Deno.consoleSize().columns || defaultWidth;
  } catch {
    // The terminal is not on the stream that Deno asks.
    return defaultWidth;
  }
}
