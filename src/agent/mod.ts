/** The agent: its life, and what it tells. */
export { type Leave, runAgent } from "./agent.ts";
export type { AgentOptions } from "./options.ts";
export { detachAll } from "./detach.ts";
export { runtimePaths } from "./runtime_paths.ts";
