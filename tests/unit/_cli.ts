import type { AppContext } from "../../src/cli/mod.ts";
import { type Command, runApp } from "../../src/cli/mod.ts";
import { createStyle } from "../../src/cli/style.ts";
import type { TextOutput } from "../../src/cli/text_output.ts";

/** An output that keeps what is written to it. */
export function memoryOutput(
  options: { styled?: boolean; width?: number } = {},
): TextOutput & { text(): string } {
  let text = "";
  return {
    write: (more) => void (text += more),
    text: () => text,
    isTerminal: options.styled === true,
    width: options.width ?? 100,
    style: createStyle(options.styled === true),
  };
}

/** Runs a command line through the frame. */
export async function runLine(
  commands: readonly Command[],
  args: readonly string[],
  options:
    & { env?: Record<string, string>; signal?: AbortSignal }
    & Partial<Pick<AppContext, "stdinIsTerminal">> = {},
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const stdout = memoryOutput();
  const stderr = memoryOutput();
  const exitCode = await runApp(commands, args, {
    stdout,
    stderr,
    stdinIsTerminal: options.stdinIsTerminal ?? false,
    signal: options.signal ?? new AbortController().signal,
    env: (name) => options.env?.[name],
  });
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}
