/** The demo's processes: four backends, a client and an agent. */

import { type Child, HostError, spawn } from "../host/mod.ts";
import { agentServes, spawnAgent } from "./agent.ts";
import { type CallCount, callReport } from "./call.ts";
import { type Backend, backends } from "./mesh.ts";
import { beginLine, readyLine } from "./peer.ts";
import { ownCommand, ownEnvironment } from "./self.ts";
import type { World } from "./world.ts";

/** Disposing of it ends all processes. */
export interface Cast extends AsyncDisposable {
  /** The agent's process, where one runs. */
  readonly agentPid: () => number | undefined;
  /** Has an agent run, or none: starts one and waits until it serves, or kills it as nobody can prevent. */
  readonly haveAgent: (wanted: boolean) => Promise<void>;
}

export interface CastOptions {
  readonly world: World;
  /** Told what the client's calls came to, many times a second. */
  readonly onCalls: (calls: readonly CallCount[]) => void;
  /** Told when a process ends, or says what it should not. */
  readonly onFailure: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Starts everybody; the client begins to call when the backends listen and the agent serves. */
export async function createCast({ world, onCalls, onFailure, signal }: CastOptions): Promise<Cast> {
  const everybody: Child[] = [];
  const killed = new Set<Child>();
  const enter = (who: string, child: Child): Child => {
    everybody.push(child);
    child.exited.then(({ code, signal }) => {
      if (killed.has(child)) return;
      onFailure(
        new HostError(
          `the demo's ${who} ended (${signal ?? `exit code ${code}`}); it said:\n${
            child.said().trim() || "(nothing)"
          }`,
          "start the demo again; if it stays so, weft doctor tells what this host can do",
        ),
      );
    });
    return child;
  };
  const peer = (who: string, ...args: string[]) =>
    enter(who, spawn(ownCommand(["demo-peer", ...args]), { ...world.place(who), env: ownEnvironment() }));

  let agent: Child | undefined;
  const haveAgent = async (wanted: boolean): Promise<void> => {
    if (wanted && agent === undefined) {
      agent = enter("agent", spawnAgent(world));
      await agentServes(agent, world, signal);
    } else if (!wanted && agent !== undefined) {
      killed.add(agent);
      agent.kill("SIGKILL");
      await agent.exited;
      agent = undefined;
    }
  };

  const listening = async ({ name, port }: Backend) => {
    const { value } = await peer(name, "backend", name, String(port)).lines.next();
    // Of one that ended instead, `onFailure` is told.
    if (value === readyLine) return;
    await aborted(signal);
  };
  const end = async () => {
    await Promise.all(everybody.map((child) => child[Symbol.asyncDispose]()));
  };
  try {
    const client = peer("client", "client");
    await Promise.race([
      Promise.all([...backends.map(listening), haveAgent(true)]),
      aborted(signal),
    ]);
    readCalls(client, onCalls).catch(onFailure);
    await client.write(beginLine);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    agentPid: () => agent?.pid,
    haveAgent,
    [Symbol.asyncDispose]: end,
  };
}

async function readCalls(client: Child, onCalls: CastOptions["onCalls"]): Promise<void> {
  for await (const line of client.lines) onCalls(callReport.parse(JSON.parse(line)));
}

/** @throws the signal's reason, when it is aborted */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
