import { exitCodes } from "./exit_codes.ts";
import { Interrupted } from "./interrupted.ts";
import type { TextOutput } from "./text_output.ts";
import { UserError } from "./user_error.ts";

/** Where an error is told, and how much of it. */
export interface ErrorReport {
  readonly stderr: TextOutput;
  /** Whether to show where in the code it happened (`WEFT_DEBUG=1`). */
  readonly debug: boolean;
}

/**
 * Tells a person what went wrong, and answers with the exit code.
 *
 * An error of a class of our own (or of a library) says by itself what is wrong, and is told in one line and its remedy,
 * where it has one. Nobody expected one of the runtime's own classes to come this far, and it is told so.
 */
export function reportError(error: unknown, report: ErrorReport): number {
  const { stderr, debug } = report;
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof SuppressedError) {
    // Cleaning up failed as well: what came first is told first, and decides.
    const exitCode = reportError(error.suppressed, report);
    reportError(error.error, report);
    return exitCode;
  }
  const { message, remedy } = describe(error);
  stderr.write(`${stderr.style("red", "weft:")} ${indented(message)}\n`);
  if (remedy !== undefined) stderr.write(`  ${indented(remedy)}\n`);
  if (debug && error instanceof Error) stderr.write(stackOf(error));
  return error instanceof UserError ? error.exitCode : exitCodes.failed;
}

function describe(error: unknown): { message: string; remedy?: string } {
  if (!(error instanceof Error)) return fault(String(error));
  if (isRuntimeError(error)) return fault(`${error.name}: ${error.message}`);
  const remedy = "remedy" in error && typeof error.remedy === "string" ? error.remedy : undefined;
  // Some errors also end on their remedy, for places that show only the message.
  const ending = `; ${remedy}`;
  return {
    message: error.message.endsWith(ending) ? error.message.slice(0, -ending.length) : error.message,
    remedy,
  };
}

function fault(what: string): { message: string; remedy: string } {
  return {
    message: `unexpected error: ${what}`,
    remedy: "WEFT_DEBUG=1 shows where; if the message does not help, this is a fault in weft",
  };
}

/** Whether the error is of a class that the language or Deno brings. */
function isRuntimeError(error: Error): boolean {
  const builtIn: readonly unknown[] = [
    Error,
    TypeError,
    RangeError,
    ReferenceError,
    SyntaxError,
    URIError,
    AggregateError,
  ];
  return builtIn.includes(error.constructor) ||
    Object.values(Deno.errors).some((type) => error.constructor === type) ||
    error.name === "AssertionError";
}

/** The stack of the error and of its causes. */
function stackOf(error: Error): string {
  const causes: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) causes.push(at.stack ?? String(at));
  return causes.join("\ncaused by: ") + "\n";
}

function indented(text: string): string {
  return text.trimEnd().replaceAll("\n", "\n  ");
}
