/** The agent: its life, and what it tells. */
export { type AgentOptions, type Leave, runAgent } from "./agent.ts";
export { detachAll } from "./detach.ts";
export { runtimePaths } from "./runtime_paths.ts";
