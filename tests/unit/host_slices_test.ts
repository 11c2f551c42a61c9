import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createSlices, openTurns, timedSlices, type Turns, turnSlices } from "../../src/host/mod.ts";
import { answersDuring } from "../kit/answers_during.ts";
import { patience } from "../kit/slow.ts";

describe("slices", () => {
  it("rest when one is used up, and the next begins with the end of the rest", async () => {
    let now = 0;
    let rests = 0;
    const rest = () => {
      rests++;
      now += 2.9;
      return Promise.resolve();
    };
    const pause = createSlices(10, rest, () => now)();
    now = 9.9;
    assert.equal(pause(), undefined);
    now = 10;
    await pause();
    assert.equal(rests, 1);
    now = 22.8;
    assert.equal(pause(), undefined);
    now = 22.9;
    await pause();
    assert.equal(rests, 2);
  });

  it("leave the event loop to what comes from outside", async () => {
    const slices = 50;
    assert.ok(await answersDuring(timedSlices, slices) >= slices / 5);
  });

  it("with turns: whoever has asked by the end of one is answered in one rest", async () => {
    const directory = await Deno.makeTempDir({ prefix: "weft-test-turns-" });
    const [path, asked, answered] = ["socket", "asked", "answered"].map((name) => `${directory}/${name}`);
    await using turns = await openTurns(`${directory}/turns`);
    let handled = 0;
    const server = Deno.serve({ path, onListen: () => {} }, () => (handled++, new Response("here")));
    await Deno.writeTextFile(`${directory}/asker.ts`, asker);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-config", "-A", `${directory}/asker.ts`, path, asked, answered],
      stdin: "null",
    }).spawn();
    try {
      const pause = turnSlices(turns)();
      // In one slice, in which this process hears of nothing.
      waitFor(asked);
      assert.equal(handled, 0);
      await pause();
      assert.equal(handled, questions);
      // Nor does it in this one: the answers are on their way.
      waitFor(answered);
    } finally {
      await child.status;
      await server.shutdown();
      await Deno.remove(directory, { recursive: true });
    }
  });
});

const questions = 5;

/** Asks some questions, each on a connection of its own, and leaves a file when they are asked, and one when all are answered. */
const asker = `
const [path, asked, answered] = Deno.args;
const connections = await Promise.all(Array.from({ length: ${questions} }, () => Deno.connect({ transport: "unix", path })));
const question = new TextEncoder().encode("GET / HTTP/1.1\\r\\nHost: weft\\r\\nConnection: close\\r\\n\\r\\n");
await Promise.all(connections.map((connection) => connection.write(question)));
Deno.writeTextFileSync(asked, "");
await Promise.all(connections.map((connection) => connection.read(new Uint8Array(1024))));
Deno.writeTextFileSync(answered, "");
Deno.exit();
`;

/** Without a turn of the event loop. */
function waitFor(file: string): void {
  const until = Date.now() + patience(10_000);
  for (;;) {
    try {
      Deno.statSync(file);
      return;
    } catch {
      if (Date.now() > until) throw new Error(`${file} never came`);
    }
  }
}

/** Whether a timer ends while turns follow each other. */
async function runsMeanwhile(turns: Turns): Promise<boolean> {
  let ran = false;
  const timer = setTimeout(() => ran = true, 1);
  for (let i = 0; i < 100_000 && !ran; i++) await turns.next();
  clearTimeout(timer);
  return ran;
}

describe("turns of the event loop", () => {
  let directory: string;
  beforeEach(() => {
    directory = Deno.makeTempDirSync({ prefix: "weft-test-turns-" });
  });
  afterEach(() => Deno.removeSync(directory, { recursive: true }));
  const path = () => `${directory}/turns`;

  it("are one after the other, also for many who wait for one, and may be disposed of twice", async () => {
    const turns = await openTurns(path());
    await Promise.all(Array.from({ length: 10 }, () => turns.next()));
    const last = turns.next();
    await turns[Symbol.asyncDispose]();
    await last;
    await turns[Symbol.asyncDispose]();
  });

  it("let others run in between, however many follow each other", async () => {
    await using turns = await openTurns(path());
    assert.ok(await runsMeanwhile(turns));
  });

  it("also when they are disposed of: whoever still works in slices does not keep all others from theirs", async () => {
    const turns = await openTurns(path());
    await turns[Symbol.asyncDispose]();
    assert.ok(await runsMeanwhile(turns));
  });

  it("leave no socket behind, and take the place of one that a killed process left", async () => {
    const at = path();
    Deno.writeTextFileSync(at, "");
    await using turns = await openTurns(at);
    await turns.next();
    assert.throws(() => Deno.statSync(at), Deno.errors.NotFound);
  });
});
