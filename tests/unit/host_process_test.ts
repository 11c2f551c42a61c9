import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { run, spawn } from "../../src/host/mod.ts";

describe("run", () => {
  it("gives standard output back, and feeds standard input", async () => {
    assert.equal(await run(["tr", "a-z", "A-Z"], "weft"), "WEFT");
  });

  it("throws with the command, the exit code and what it said", async () => {
    await assert.rejects(
      run(["sh", "-c", "echo no luck >&2; exit 3"]),
      /^CommandError: sh -c .*exit code 3: no luck$/,
    );
    await assert.rejects(run(["weft-nobody-has-this"]), /weft-nobody-has-this is not installed/);
  });
});

describe("spawn", () => {
  it("gives lines as they come and takes lines", async () => {
    const errors: string[] = [];
    await using child = spawn(["sh", "-c", "echo one; echo oops >&2; exec cat"], {
      onError: (line) => errors.push(line),
    });
    assert.deepEqual(await child.lines.next(), { value: "one", done: false });
    await child.write("two");
    assert.deepEqual(await child.lines.next(), { value: "two", done: false });
    await child.closeInput();
    assert.equal((await child.exited).code, 0);
    assert.deepEqual(errors, ["oops"]);
    assert.equal(child.said(), "oops\n");
  });

  it("ends what does not end by itself, also what ignores SIGTERM", async () => {
    let exited: Promise<Deno.CommandStatus>;
    {
      await using child = spawn(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]);
      await child.lines.next();
      exited = child.exited;
    }
    assert.equal((await exited).signal, "SIGKILL");
  });
});
