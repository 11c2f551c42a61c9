/** Sockets of several cgroups, connected in random order: bench/connect.c. */

import { inCgroup } from "../src/host/mod.ts";

/** Sockets of one cgroup and where they go. */
export interface Variant {
  readonly name: string;
  /** A cgroup's directory. */
  readonly cgroup: string;
  /** `address port`; each socket goes to a random one. */
  readonly targets: readonly string[];
  /** Whether getpeername need not show it. @default it must */
  readonly nameless?: boolean;
}

export interface LoadOptions {
  readonly program: string;
  readonly protocol: "tcp" | "udp";
  readonly rounds: number;
  /** Sockets of each variant a round. */
  readonly batch: number;
  readonly listeners: readonly { readonly cgroup: string; readonly port: number }[];
  readonly variants: readonly Variant[];
  /** The memory cgroup that the load belongs to. @default this process's */
  readonly memoryCgroup: string | undefined;
}

/** What was measured of one variant, in ns, by round. */
export interface Timing {
  readonly name: string;
  readonly socket: readonly ArrayLike<number>[];
  readonly connect: readonly ArrayLike<number>[];
  readonly getpeername: readonly ArrayLike<number>[];
  readonly close: readonly ArrayLike<number>[];
}

const fields = { socket: 2, connect: 3, getpeername: 4, close: 5 } as const;
const sampleWords = 6;

/** The CPU that the load stays on: the last one, as interrupts tend to come to the first. */
function lastCpu(): number {
  return navigator.hardwareConcurrency - 1;
}

/** Runs the load to its end. The first twentieth of the rounds warms up and is not counted. */
export async function runLoad(options: LoadOptions): Promise<readonly Timing[]> {
  const { program, protocol, rounds, batch, memoryCgroup } = options;
  const warmUp = Math.ceil(rounds / 20);
  const command = [program, protocol, `${rounds + warmUp}`, `${batch}`, `${lastCpu()}`];
  const [first, ...rest] = memoryCgroup ? inCgroup(memoryCgroup, command) : command;
  const child = new Deno.Command(first, { args: rest, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const plan = [
    ...options.listeners.map(({ cgroup, port }) => `listen ${cgroup} ${port}`),
    ...options.variants.flatMap(({ cgroup, targets, nameless }) => [
      `${nameless ? "nameless" : "variant"} ${cgroup}`,
      ...targets.map((target) => `target ${target}`),
    ]),
  ];
  const feed = new Blob([`${plan.join("\n")}\n`]).stream().pipeTo(child.stdin);
  const [output] = await Promise.all([child.output(), feed.catch(() => {})]);
  if (!output.success) throw new Error(new TextDecoder().decode(output.stderr).trim());
  const words = new Uint32Array(output.stdout.slice().buffer);
  return options.variants.map(({ name }, variant) => {
    const byRound = (field: number) => {
      const values = Array.from({ length: rounds }, () => [] as number[]);
      for (let at = 0; at < words.length; at += sampleWords) {
        if (words[at + 1] === variant && words[at] >= warmUp) {
          values[words[at] - warmUp].push(words[at + field]);
        }
      }
      return values;
    };
    return {
      name,
      socket: byRound(fields.socket),
      connect: byRound(fields.connect),
      getpeername: byRound(fields.getpeername),
      close: byRound(fields.close),
    };
  });
}
