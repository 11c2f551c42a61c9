import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { commands } from "../../src/cli/mod.ts";
import { reportError } from "../../src/cli/report_error.ts";
import { UserError } from "../../src/cli/user_error.ts";
import { memoryOutput, runLine } from "./_cli.ts";

describe("cli: demo", () => {
  it("is told of; the command for its processes is not, and does not run by mistake", async () => {
    const { stdout } = await runLine(commands, ["--help"]);
    assert.match(stdout, /^ {2}demo {2,}/m);
    assert.doesNotMatch(stdout, /demo-peer/);
    assert.doesNotMatch((await runLine(commands, ["demo-per"])).stderr, /demo-peer/);
    const { exitCode, stderr } = await runLine(commands, ["demo-peer", "nobody"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /run: weft demo$/m);
  });
});

describe("cli: an error while cleaning up after another", () => {
  it("tells both, and what came first decides", () => {
    const stderr = memoryOutput();
    const first = new UserError("the dog ate it", "get another");
    const error = new SuppressedError(new UserError("the dog is still here"), first);
    assert.equal(reportError(error, { stderr, debug: false }), 1);
    assert.equal(stderr.text(), "weft: the dog ate it\n  get another\nweft: the dog is still here\n");
  });
});
