/** An agent under test: `weft run` from source, with pins, socket and mesh file of its own. */

import { z } from "zod";
import { bpffsPath, type Child, spawn } from "../../src/host/mod.ts";
import { askAgent } from "../../src/observe/admin_client.ts";
import { type StatusResponse, statusResponse } from "../../src/observe/api.ts";
import { eventually } from "./eventually.ts";
import { meshFile, type TestService } from "./mesh.ts";
import type { TestNet } from "./test_net.ts";

const mainFile = new URL("../../main.ts", import.meta.url).pathname;

/** The command line of weft, from source. */
export function weftCommand(args: readonly string[]): string[] {
  return [Deno.execPath(), "run", "--quiet", "--cached-only", "-A", "--unstable-net", mainFile, ...args];
}

/** What a command of weft's said and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of weft's to its end. */
export async function runWeft(args: readonly string[]): Promise<CommandResult> {
  const [program, ...rest] = weftCommand(args);
  const output = await new Deno.Command(program, { args: rest, stdin: "null" }).output();
  const text = new TextDecoder();
  return { code: output.code, stdout: text.decode(output.stdout), stderr: text.decode(output.stderr) };
}

const logLine = z.looseObject({ level: z.string(), time: z.string(), msg: z.string() });
export type LogLine = z.infer<typeof logLine>;

export type Services = Readonly<Record<string, TestService>>;
type Servers = TestNet["servers"];

export interface AgentOptions {
  /** What the mesh file says. @default nothing */
  readonly services?: Services;
  /** Instead of the mesh file: a control plane on this host, in plaintext. @default none */
  readonly xds?: { readonly target: string; readonly mode: "workload" | "ads" };
  /** Who the members are. @default the test net's servers */
  readonly addresses?: Servers;
  /** @default the test net's balanced one */
  readonly cgroup?: string;
  /** More arguments of `weft run`. @default none */
  readonly args?: readonly string[];
  /** What to share with another agent of this test. @default a name of its own */
  readonly name?: string;
  /** Wait until it serves. @default true */
  readonly wait?: boolean;
  /** Do not wait until it serves, and leave to others what it may have put into the kernel. @default false */
  readonly expectFailure?: boolean;
}

/** A running agent. Disposing of it stops it and removes all that it put into the kernel. */
export interface TestAgent extends AsyncDisposable {
  readonly pid: number;
  readonly pinRoot: string;
  readonly meshPath: string;
  /** What it has logged so far; lines that are not JSON have the level `raw`. Take out what was expected of errors. */
  readonly log: LogLine[];
  /** Waits until a line is logged. */
  readonly logged: (matches: (line: LogLine) => boolean) => Promise<LogLine>;
  readonly status: () => Promise<StatusResponse>;
  /** Replaces the mesh file, if it says something else, and waits until the agent has put it into the kernel. */
  readonly reload: (services: Services) => Promise<void>;
  /** Replaces the mesh file, and waits for nothing. @param mesh its text, or what it says */
  readonly writeMesh: (mesh: string | Services) => Promise<void>;
  /** Runs another command against this agent. */
  readonly weft: (...args: string[]) => Promise<CommandResult>;
  /** Sends a signal and waits for its end. */
  readonly end: (signal: Deno.Signal) => Promise<Deno.CommandStatus>;
  /** Waits until it has ended by itself. */
  readonly ended: () => Promise<Deno.CommandStatus>;
}

/** Starts an agent beside a test net, and waits until it serves. */
export async function startAgent(net: TestNet, options: AgentOptions): Promise<TestAgent> {
  const { services = {}, xds, addresses = net.servers, cgroup = net.cgroup.path } = options;
  const { args = [], wait = true, expectFailure = false, name = crypto.randomUUID().slice(0, 8) } = options;
  const pinRoot = `${bpffsPath}/${net.id}-${name}`;
  const directory = `/tmp/${net.id}-${name}`;
  const socket = `${directory}/agent.sock`;
  const meshPath = `${directory}/mesh.yaml`;
  await Deno.mkdir(directory, { recursive: true });
  await writeWhole(meshPath, meshFile(services, addresses));
  const log: LogLine[] = [];
  const child = spawn(
    weftCommand([
      "run",
      ...xds ? ["--xds", xds.target, "--mode", xds.mode, "--plaintext"] : ["--mesh", meshPath],
      ...["--cgroup", cgroup, "--pin-root", pinRoot, "--socket", socket],
      ...["--log-format", "json", ...args],
    ]),
    { cgroup: net.aside.path, onError: (line) => log.push(parseLogLine(line)) },
  );
  const status = () => askAgent(socket, "/status", statusResponse);
  const agent: TestAgent = {
    pid: child.pid,
    pinRoot,
    meshPath,
    log,
    logged: async (matches) => {
      await until(() => Promise.resolve(log.some(matches)), "it is logged", child);
      return log.find(matches)!;
    },
    status,
    reload: async (services) => {
      const { flushes } = await status();
      const text = meshFile(services, addresses);
      if (text === await Deno.readTextFile(meshPath)) return;
      await writeWhole(meshPath, text);
      await until(
        async () => (await status()).flushes > flushes,
        "the agent has taken the new mesh file",
        child,
      );
    },
    writeMesh: (mesh) => writeWhole(meshPath, typeof mesh === "string" ? mesh : meshFile(mesh, addresses)),
    weft: (...args) =>
      runWeft([...args, "--pin-root", pinRoot, ...args[0] === "detach" ? [] : ["--socket", socket]]),
    end: async (signal) => {
      child.kill(signal);
      return await child.exited;
    },
    ended: () => child.exited,
    [Symbol.asyncDispose]: async () => {
      await child[Symbol.asyncDispose]();
      if (expectFailure) return;
      const detached = await runWeft(["detach", "--pin-root", pinRoot]);
      await Deno.remove(directory, { recursive: true }).catch(() => {}); // another agent of this name was faster
      if (detached.code !== 0) throw new Error(`weft detach failed: ${detached.stderr}`);
    },
  };
  await using stack = new AsyncDisposableStack();
  stack.use(agent);
  if (wait && !expectFailure) {
    await until(
      async () => (await status().catch(() => undefined))?.ready ?? false,
      "the agent serves",
      child,
    );
  }
  stack.move();
  return agent;
}

/** By rename, so that nobody sees half of it. */
async function writeWhole(path: string, text: string): Promise<void> {
  const next = `${path}.next`;
  await Deno.writeTextFile(next, text);
  await Deno.rename(next, path);
}

function parseLogLine(line: string): LogLine {
  try {
    return logLine.parse(JSON.parse(line));
  } catch {
    return { level: "raw", time: "", msg: line };
  }
}

/** Waits for a condition; fails at once where the agent has ended. */
async function until(condition: () => Promise<boolean>, what: string, child: Child): Promise<void> {
  let exit: Deno.CommandStatus | undefined;
  child.exited.then((status) => exit = status);
  try {
    await eventually(what, async () => {
      if (await condition()) return true;
      if (exit) throw new Error(`the agent ended (exit code ${exit.code})`);
      return false;
    }, 20_000);
  } catch (error) {
    throw new Error(`${(error as Error).message}; the agent said:\n${child.said()}`, { cause: error });
  }
}
