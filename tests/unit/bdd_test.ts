/** What we rely on: that nothing which fails goes unseen, and that the closing line counts right. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { countTests } from "../../scripts/junit.ts";

async function runFixture(): Promise<{ code: number; output: string; junit: string }> {
  const directory = await Deno.makeTempDir({ prefix: "weft-bdd-" });
  try {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", `--junit-path=${directory}/junit.xml`, import.meta.dirname + "/_failing_tests.ts"],
      stderr: "null",
      env: { NO_COLOR: "1" },
    }).output();
    const junit = await Deno.readTextFile(`${directory}/junit.xml`);
    return { code, output: new TextDecoder().decode(stdout), junit };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

describe("deno test, describe and it", () => {
  it("see every failure, run hooks in order, and are counted right", async () => {
    const { code, output, junit } = await runFixture();
    assert.equal(code, 1);
    const each = (inside: string) => `beforeEach ${inside} afterEach`;
    const inner = each("innerBeforeEach innerAfterEach");
    assert.equal(
      output.match(/^LOG (.*)$/m)?.[1],
      ["before", each("passes"), "beforeEach afterEach", "innerBefore", inner, inner].join(" "),
    );
    // Failed: two of inner, and the hooks of four groups. A group is not counted again for its members.
    assert.deepEqual(countTests(junit), { passed: 5, failed: 6, skipped: 3 });
  });
});

describe("countTests", () => {
  it("counts nothing in nothing", () =>
    assert.deepEqual(countTests(""), { passed: 0, failed: 0, skipped: 0 }));

  it("reads cases with and without a body", () => {
    const junit = `<testsuite><testcase name="a" line="1"/><testcase name="b" line="2"></testcase>
      <testcase name="c"><skipped/></testcase><testcase name="d"><failure message="x">y</failure></testcase></testsuite>`;
    assert.deepEqual(countTests(junit), { passed: 2, failed: 1, skipped: 1 });
  });
});
