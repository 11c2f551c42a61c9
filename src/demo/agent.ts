/** The demo's agent: `weft run`, as a process of its own, so that it can be killed. */

import { runtimePaths } from "../agent/mod.ts";
import { type Child, HostError, sleep, spawn } from "../host/mod.ts";
import { AgentNotRunning, askAgent } from "../observe/admin_client.ts";
import { statusResponse } from "../observe/api.ts";
import { ownCommand, ownEnvironment } from "./self.ts";
import type { World } from "./world.ts";

/** How long an agent may take to start, in milliseconds. */
const startMs = 30_000;

/** Starts an agent for the demo's world. */
export function spawnAgent(world: World): Child {
  const command = ownCommand([
    "run",
    ...["--mesh", world.meshFile],
    ...["--cgroup", world.balanced],
    ...["--pin-root", world.pinRoot],
    ...["--log-format", "text"],
  ]);
  return spawn(command, { ...world.place("agent"), env: ownEnvironment() });
}

/**
 * Waits until an agent serves.
 *
 * @throws {HostError} with what it said, where it ends or does not serve in time
 */
export async function agentServes(agent: Child, world: World, signal: AbortSignal): Promise<void> {
  const { socket } = runtimePaths(world.pinRoot);
  let ended = false;
  agent.exited.then(() => ended = true);
  const deadline = performance.now() + startMs;
  while (!await isReady(socket)) {
    const late = performance.now() > deadline;
    if (ended || late) {
      throw new HostError(
        `the demo's agent ${ended ? "ended" : `does not serve after ${startMs / 1000} s`}; it said:\n` +
          (agent.said().trim() || "(nothing)"),
        "weft doctor tells what this host can do",
      );
    }
    await sleep(20, signal);
  }
}

async function isReady(socket: string): Promise<boolean> {
  try {
    return (await askAgent(socket, "/status", statusResponse)).ready;
  } catch (error) {
    if (error instanceof AgentNotRunning) return false;
    throw error;
  }
}
