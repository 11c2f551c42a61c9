/** Log events, one line each: JSON for machines, columns for people. */

import pino from "pino";
import { prettyFactory } from "pino-pretty";

/** How important an event is. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** How an event is written. */
export type LogFormat = "text" | "json";

/** More about an event, by name. An error is written as its message and those of its causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes events. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What a logger writes and where to. */
export interface LoggerOptions {
  readonly format: LogFormat;
  /** Less important events are left out. @default {"info"} */
  readonly level?: LogLevel;
  /** Whether `text` is coloured. @default {false} */
  readonly colour?: boolean;
  /** Takes one line with its end, at once. @default to standard error */
  readonly write?: (line: string) => void;
}

/** Text for a person at a terminal, JSON for whatever else collects it. */
export function defaultLogFormat(isTerminal: boolean): LogFormat {
  return isTerminal ? "text" : "json";
}

/** The names that JSON lines use for themselves. */
const ownNames: readonly string[] = ["level", "time", "msg"];

/** Makes a logger. Each event is written before the call returns, so that none is lost when the process ends. */
export function createLogger(options: LoggerOptions): Logger {
  const { format, level = "info", colour = false, write = writeToStandardError } = options;
  const render = format === "text" ? textRenderer(colour) : undefined;
  const logger = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (name) => ({ level: name }) },
  }, { write: (line) => write(render === undefined ? line : render(line)) });
  const at = (name: LogLevel) => (message: string, fields?: LogFields) =>
    logger[name](plainFields(fields), message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function writeToStandardError(line: string): void {
  const bytes = new TextEncoder().encode(line);
  try {
    for (let written = 0; written < bytes.length;) written += Deno.stderr.writeSync(bytes.subarray(written));
  } catch (error) {
    // The reader is gone: there is nobody left to tell, and an agent must not end for that.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Fields as JSON can hold them, under names that are not taken. */
function plainFields(fields: LogFields = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      ownNames.includes(name) ? `${name}_` : name,
      value instanceof Error ? errorText(value) : typeof value === "bigint" ? value.toString() : value,
    ]),
  );
}

/** An error's message, and those of its causes. */
function errorText(error: Error): string {
  const messages: string[] = [];
  for (let at: unknown = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    messages.push(at instanceof Error ? at.message || at.name : String(at));
  }
  return messages.join(": ");
}

function textRenderer(colour: boolean): (line: string) => string {
  // With the date: an agent runs for months.
  const pretty = prettyFactory({ colorize: colour, translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l" });
  return (line) => {
    const { level, time, msg, ...fields } = JSON.parse(line);
    const words = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`);
    // The fields go into the message, for pino-pretty has its own ideas about some names and several lines for others.
    const event = { level, time, msg: [oneLine(String(msg)), ...words].join("  ") };
    return `${pretty(event)?.trimEnd() ?? line}\n`;
  };
}

/** A value as a person reads it: bare where it is one word, else as JSON. */
function fieldText(value: unknown): string {
  return typeof value === "string" && /^[^\s"'=\p{Cc}]+$/u.test(value)
    ? value
    : oneLine(JSON.stringify(value));
}

/** Control characters as their codes: an event is one line, and what it quotes must not act on the terminal. */
function oneLine(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => character === "\n" ? "\\n" : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
