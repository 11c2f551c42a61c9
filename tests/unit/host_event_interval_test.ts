import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { ensureEventInterval, run } from "../../src/host/mod.ts";

const source = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

/** Runs a program in a process of its own. @returns the lines that it prints */
async function linesOf(program: string, args: string[] = [], env: Record<string, string> = {}) {
  const file = await Deno.makeTempFile({ prefix: "weft-test-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const setting = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const deno = [Deno.execPath(), "run", "--quiet", "--no-config", "-A", "--unstable-net"];
    const command = ["env", "-u", "DENO_TOKIO_EVENT_INTERVAL", ...setting, ...deno, file, ...args];
    return (await run(command)).trimEnd().split("\n");
  } finally {
    await Deno.remove(file);
  }
}

describe("a process that begins anew", () => {
  it("has the same pid and arguments, and the environment that it had at the end", async () => {
    const lines = await linesOf(
      `
import { startAnew } from ${source("ffi/mod.ts")};
console.log(JSON.stringify([Deno.pid, Deno.args, Deno.env.get("WEFT_TEST")]));
if (Deno.env.get("WEFT_TEST") === "first") {
  Deno.env.set("WEFT_TEST", "second");
  startAnew();
}`,
      ["one", "", "two words", "--three=ü"],
      { WEFT_TEST: "first" },
    );
    const [first, second] = lines.map((line) => JSON.parse(line));
    assert.equal(lines.length, 2);
    assert.deepEqual(first.slice(1), [["one", "", "two words", "--three=ü"], "first"]);
    assert.deepEqual(second, [...first.slice(0, 2), "second"]);
  });

  it("goes on where the kernel refuses, and says why", async () => {
    const [said] = await linesOf(`
import { startAnew } from ${source("ffi/mod.ts")};
Deno.env.set("WEFT_TEST", "x".repeat(1024 * 1024));
try {
  startAnew();
} catch (error) {
  console.log(error.message);
}`);
    assert.match(said, /^execute \/proc\/self\/exe: .*E2BIG/);
  });
});

/** How many immediates run until a connection has been heard of that is there, at most in some trials. */
const immediates = `
const directory = Deno.makeTempDirSync({ prefix: "weft-test-" });
const path = directory + "/socket";
const listener = Deno.listen({ transport: "unix", path });
const turn = () => new Promise((resolve) => setImmediate(resolve));
let most = 0;
for (let trial = 0; trial < 40; trial++) {
  for (let i = 0; i < trial * 3; i++) await turn();
  let heard = false;
  const accepted = listener.accept().then((connection) => (heard = true, connection.close()));
  await turn();
  const connected = Deno.connect({ transport: "unix", path });
  let turns = 0;
  for (; !heard; turns++) await turn();
  most = Math.max(most, turns);
  await accepted;
  (await connected).close();
}
listener.close();
Deno.removeSync(directory, { recursive: true });
console.log(most);
Deno.exit();`;

describe("the event interval", () => {
  it("is set by beginning anew, once, and not where somebody has set it", () => {
    const env = new Map<string, string>();
    let begun = 0;
    ensureEventInterval(() => void begun++, env);
    assert.deepEqual([begun, [...env]], [1, [["DENO_TOKIO_EVENT_INTERVAL", "16"]]]);
    ensureEventInterval(() => void begun++, env);
    assert.equal(begun, 1);
  });

  it("where it cannot be set: says why, and what to do", () => {
    const refuse = () => {
      throw new Error("the kernel refuses");
    };
    assert.throws(
      () => ensureEventInterval(refuse, new Map()),
      /^HostError: .*: the kernel refuses; start it with DENO_TOKIO_EVENT_INTERVAL=16 set$/,
    );
  });

  it("makes a runtime that always has something to do look at sockets every few turns", async () => {
    const [most] = await linesOf(`
import { startAnew } from ${source("ffi/mod.ts")};
import { ensureEventInterval } from ${source("src/host/event_interval.ts")};
ensureEventInterval(startAnew);
${immediates}`);
    const [byItself] = await linesOf(immediates);
    assert.ok(Number(most) <= 25, `${most} turns`);
    assert.ok(Number(byItself) > 40, `${byItself} turns by itself: what this is for is no longer so`);
  });
});
