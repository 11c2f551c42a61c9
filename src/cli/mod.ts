export { type AppContext, runApp } from "./app.ts";
export type { Command } from "./command.ts";
export { commands } from "./commands.ts";
export { Interrupted, signalOnInterruption } from "./interrupted.ts";
export { reportError } from "./report_error.ts";
export { standardOutput } from "./text_output.ts";
