/** Other programs, kept running beside this one. */

import { inCgroup } from "./cgroup.ts";
import { inNamespace } from "./netns.ts";
import { endProcesses } from "./process_end.ts";
import { commandNotFound } from "./run.ts";

/** Where a process lives. */
export interface Place {
  /** A cgroup's directory. @default this process's */
  readonly cgroup?: string;
  /** A named network namespace. @default this process's */
  readonly namespace?: string;
}

/** The command that runs `command` there. The cgroup comes first: entering a namespace by name hides /sys/fs/cgroup. */
export function inPlace(command: readonly string[], { cgroup, namespace }: Place): string[] {
  const inside = namespace === undefined ? [...command] : inNamespace(namespace, command);
  return cgroup === undefined ? inside : inCgroup(cgroup, inside);
}

export interface SpawnOptions extends Place {
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line of standard error, as it comes. @default nothing */
  readonly onError?: (line: string) => void;
}

/** A program that runs beside this one. Disposing of it ends it: SIGTERM, and SIGKILL after two seconds. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Its standard output, line by line; to be read by one reader. */
  readonly lines: AsyncIterableIterator<string>;
  /** All that it has said on standard error so far, of which the last 64 KiB are kept. */
  readonly said: () => string;
  readonly exited: Promise<Deno.CommandStatus>;
  /** Writes a line to its standard input. */
  readonly write: (line: string) => Promise<void>;
  /** Closes its standard input. */
  readonly closeInput: () => Promise<void>;
  readonly kill: (signal: Deno.Signal) => void;
}

async function* readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncIterableIterator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** Starts a program that runs until it is disposed of. */
export function spawn(command: readonly string[], options: SpawnOptions = {}): Child {
  const [program, ...args] = inPlace(command, options);
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      env: options.env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    throw commandNotFound(error, command);
  }
  const stdin = child.stdin.getWriter();
  const encoder = new TextEncoder();
  let said = "";
  const listening = (async () => {
    for await (const line of readLines(child.stderr)) {
      said = `${said}${line}\n`.slice(-65536);
      options.onError?.(line);
    }
  })();
  // Only when standard error has been read to its end is it known what the process said last.
  const exited = Promise.all([child.status, listening]).then(([status]) => status);
  const lines = readLines(child.stdout);
  const closeInput = () => stdin.close().catch(() => {}); // broken when the process is gone
  return {
    pid: child.pid,
    lines,
    said: () => said,
    exited,
    write: (line) => stdin.write(encoder.encode(`${line}\n`)),
    closeInput,
    kill: (signal) => child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      await closeInput();
      await endProcesses([child.pid]);
      await exited;
      while (!(await lines.next()).done);
    },
  };
}
