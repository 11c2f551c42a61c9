/** `weft demo`, run as a user runs it. */

import assert from "node:assert/strict";
import { it } from "@std/testing/bdd";
import { bpffsPath, cgroup2Mount, type Child, listNamespaces, spawn } from "../../src/host/mod.ts";
import { describeKernel, eventually, patience, weftCommand } from "../kit/mod.ts";

/** Starts a demo of the shortest kind; one that hangs is killed. */
function demo(): Child {
  const child = spawn(weftCommand(["demo", "--seconds", "5"]));
  const timer = setTimeout(() => child.kill("SIGKILL"), patience(90_000));
  child.exited.finally(() => clearTimeout(timer));
  return child;
}

/** Every demo's resources carry its process in their names. */
const markOf = (pid: number) => `weft-demo-${pid}_`;

/** Command lines by process. */
function commandLines(): Map<number, string> {
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => name).filter((name) => /^\d+$/.test(name));
  return new Map(pids.map((pid) => {
    try {
      return [Number(pid), Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ")];
    } catch {
      return [Number(pid), ""]; // it has ended
    }
  }));
}

/** The processes whose command line names a demo's resources: its agent. */
function agentsOf(pid: number): number[] {
  return [...commandLines()].filter(([, line]) => line.includes(markOf(pid))).map(([agent]) => agent);
}

/** All that a demo has on this host now. */
function traces(pid: number): string[] {
  const entries = ["/run/weft", bpffsPath, cgroup2Mount()].flatMap((directory) =>
    [...Deno.readDirSync(directory)].map(({ name }) => `${directory}/${name}`)
  );
  const namespaces = listNamespaces().map((name) => `namespace ${name}`);
  return [
    ...[...entries, ...namespaces].filter((name) => name.includes(markOf(pid))),
    ...agentsOf(pid).map((agent) => `process ${agent}`),
  ];
}

/** Reads a demo's lines until one begins with a text. */
async function until(child: Child, start: string): Promise<void> {
  for (;;) {
    const { done, value } = await child.lines.next();
    assert.ok(!done, `the demo ended before it said "${start}": ${child.said()}`);
    if (value.startsWith(start)) return;
  }
}

/** Reads a demo's lines to its end. */
async function rest(child: Child): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of child.lines) lines.push(line);
  return lines;
}

describeKernel("weft demo", () => {
  it("shows all acts on real traffic, and leaves nothing", async () => {
    await using child = demo();
    const lines = await rest(child);
    const { code } = await child.exited;
    const all = lines.join("\n");
    assert.equal(code, 0, all + child.said());
    assert.equal(lines.filter((line) => line.startsWith("✓ ")).length, 8, all);
    const summary = /^✓ 7 of 7 acts .*\n +(\d+) calls answered, (\d+) refused .*, 0 failed$/m.exec(all);
    assert.ok(summary, all);
    assert.ok(Number(summary[1]) >= 480 && Number(summary[2]) >= 80, all);
    assert.deepEqual(traces(child.pid), []);
  });

  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    it(`leaves nothing after ${signal} in the middle`, async () => {
      await using child = demo();
      await until(child, "2/7");
      assert.notDeepEqual(traces(child.pid), []);
      child.kill(signal);
      await rest(child);
      assert.equal((await child.exited).code, code);
      assert.deepEqual(traces(child.pid), []);
      assert.match(child.said(), /^weft demo: interrupted; all that it made is removed$/m);
    });
  }

  it("removes what a killed demo left, and ends when its agent does", async () => {
    await using killed = demo();
    await until(killed, "1/7");
    killed.kill("SIGKILL");
    await rest(killed);
    const left = traces(killed.pid);
    for (const kind of ["/run/weft/", `${bpffsPath}/`, `${cgroup2Mount()}/`, "namespace ", "process "]) {
      assert.ok(left.some((name) => name.startsWith(kind)), `nothing of ${kind}: ${left.join(", ")}`);
    }
    await using next = demo();
    await until(next, "1/7");
    await eventually("the killed demo's traces are gone", () => traces(killed.pid).length === 0);
    for (const agent of agentsOf(next.pid)) Deno.kill(agent, "SIGKILL");
    await rest(next);
    assert.equal((await next.exited).code, 1);
    assert.match(next.said(), /^weft: the demo's agent ended \(SIGKILL\)/m);
    assert.deepEqual(traces(next.pid), []);
  });
});
