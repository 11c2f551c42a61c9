import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { defineCommand } from "../../src/cli/command.ts";
import { commands as realCommands, Interrupted } from "../../src/cli/mod.ts";
import { UserError } from "../../src/cli/user_error.ts";
import { runLine } from "./_cli.ts";

/** A command that does what the test says. */
const doing = (run: (signal: AbortSignal) => Promise<number>) =>
  defineCommand({
    name: "act",
    summary: "do what the test says",
    description: "First paragraph.\n\nSecond paragraph.",
    flags: [
      {
        kind: "string",
        name: "mesh",
        valueName: "FILE",
        help: "the mesh file",
        required: true,
        env: "WEFT_MESH",
      },
      { kind: "duration", name: "wait", valueName: "DURATION", help: "how long to wait", default: "15s" },
      { kind: "string", name: "network", valueName: "NAME", help: "which network", default: "" },
    ],
    positionals: [{ name: "SERVICE", help: "which service", optional: true }],
    examples: [{ command: "weft act --mesh a.yaml", help: "act on a file" }],
    run: ({ signal }) => run(signal),
  });

const throwing = (error: unknown) => [doing(() => Promise.reject(error))];
const line = ["act", "--mesh", "a"];

describe("runApp", () => {
  for (const args of [[], ["--help"], ["-h"], ["help"]]) {
    it(`lists the commands for "weft ${args.join(" ")}"`, async () => {
      const { exitCode, stdout, stderr } = await runLine(throwing("never"), args);
      assert.equal(exitCode, 0);
      assert.match(stdout, /^ {2}act {3}do what the test says$/m);
      assert.match(stdout, /^ {2}help {2}explain weft/m);
      assert.equal(stderr, "");
    });
  }

  for (const args of [["act", "--help"], ["act", "-h"], ["act", "--bogus", "--help"], ["help", "act"]]) {
    it(`explains a command for "weft ${args.join(" ")}"`, async () => {
      const { exitCode, stdout } = await runLine(throwing("never"), args);
      assert.equal(exitCode, 0);
      assert.match(stdout, /^Do what the test says\.$/m);
      assert.match(stdout, /^ {2}weft act \[SERVICE\] --mesh FILE \[FLAGS\]$/m);
      assert.match(stdout, /^First paragraph\.\n\nSecond paragraph\.$/m);
      assert.match(stdout, /^ {6}--mesh FILE {6}the mesh file \[required; env: WEFT_MESH\]$/m);
      assert.match(stdout, /^ {6}--wait DURATION {2}how long to wait \[default: 15s\]$/m);
      assert.match(stdout, /^ {6}--network NAME {3}which network$/m);
      assert.match(stdout, /^ {2}# act on a file\n {2}weft act --mesh a\.yaml$/m);
      assert.match(stdout, /^ {2}2 {4}wrong command line/m);
      assert.doesNotMatch(stdout, / $/m);
    });
  }

  it("refuses an unknown command and says which was meant", async () => {
    const { exitCode, stdout, stderr } = await runLine(throwing("never"), ["atc"]);
    assert.equal(exitCode, 2);
    assert.equal(stdout, "");
    assert.equal(stderr, 'weft: unknown command "atc"\n  did you mean weft act?\n');
    assert.equal((await runLine(throwing("never"), ["help", "frobnicate"])).exitCode, 2);
  });

  it("refuses a flag before the command", async () => {
    const { exitCode, stderr } = await runLine(throwing("never"), ["--mesh=a", "act"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /^weft: unknown flag --mesh before the command\n/);
  });

  it("does not run a command whose line is wrong", async () => {
    const { exitCode, stderr } = await runLine(throwing(new Error("it ran")), ["act"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /^weft: --mesh is missing\n {2}give --mesh FILE or set WEFT_MESH\n$/);
  });

  it("gives the command's own exit code back", async () => {
    assert.equal((await runLine([doing(() => Promise.resolve(1))], line)).exitCode, 1);
  });

  it("tells what a user can put right in two lines", async () => {
    const { exitCode, stderr } = await runLine(
      throwing(new UserError("no mesh\nat a.yaml", "write one")),
      line,
    );
    assert.equal(exitCode, 1);
    assert.equal(stderr, "weft: no mesh\n  at a.yaml\n  write one\n");
  });

  it("tells an error with a class of its own as it is, and its remedy once", async () => {
    class HostError extends Error {
      constructor(problem: string, readonly remedy: string) {
        super(`${problem}; ${remedy}`);
      }
    }
    const { exitCode, stderr } = await runLine(throwing(new HostError("no bpffs", "mount it")), line);
    assert.equal(exitCode, 1);
    assert.equal(stderr, "weft: no bpffs\n  mount it\n");
  });

  for (
    const error of [new TypeError("x is not a function"), new Deno.errors.NotFound("x is not a function")]
  ) {
    it(`tells a ${error.name} that nobody expected in one line, and its place only on request`, async () => {
      const quiet = await runLine(throwing(error), line);
      assert.equal(quiet.exitCode, 1);
      assert.match(quiet.stderr, /^weft: unexpected error: \w+: x is not a function\n.*WEFT_DEBUG=1.*\n$/);
      const loud = await runLine(throwing(error), line, { env: { WEFT_DEBUG: "1" } });
      assert.match(loud.stderr, /cli_app_test\.ts:\d+/);
    });
  }

  it("survives what is no error at all", async () => {
    const { exitCode, stderr } = await runLine(throwing("just text"), line);
    assert.equal(exitCode, 1);
    assert.match(stderr, /^weft: unexpected error: just text\n/);
  });

  for (const [name, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    it(`answers ${expected} to ${name}, without a word`, async () => {
      const controller = new AbortController();
      const waiting = doing((signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          controller.abort(new Interrupted(name));
        })
      );
      const running = runLine([waiting], line, { signal: controller.signal });
      assert.deepEqual(await running, { exitCode: expected, stdout: "", stderr: "" });
    });
  }

  it("ends quietly where the reader of its output is gone", async () => {
    const { exitCode, stderr } = await runLine(throwing(new Deno.errors.BrokenPipe("Broken pipe")), line);
    assert.equal(exitCode, 141);
    assert.equal(stderr, "");
  });

  it("says its version, which is deno.json's", async () => {
    const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
    assert.equal((await runLine(realCommands, ["--version"])).stdout, `weft ${version}\n`);
    assert.equal((await runLine(realCommands, ["version"])).stdout, `weft ${version}\n`);
    const json = await runLine(realCommands, ["version", "-ojson"]);
    assert.equal(JSON.parse(json.stdout).version, version);
  });
});

describe("the commands", () => {
  for (const command of realCommands.filter((command) => !command.hidden)) {
    it(`explain themselves: ${command.name}`, async () => {
      assert.notEqual(command.description, "");
      assert.ok(command.examples.length > 0, "every command shows an example");
      const { exitCode, stdout } = await runLine(realCommands, [command.name, "--help"]);
      assert.equal(exitCode, 0);
      for (const flag of command.flags) assert.ok(stdout.includes(`--${flag.name}`), flag.name);
      const tooWide = stdout.split("\n").filter((text) => text.length > 100);
      assert.deepEqual(tooWide, []);
    });
  }
});
