import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { defineCommand } from "../../src/cli/command.ts";
import { outlierFlags, outlierSettings } from "../../src/cli/outlier_flags.ts";
import { defaultOutlierSettings, type OutlierSettings } from "../../src/outlier_detection/mod.ts";
import { runLine } from "./_cli.ts";

/** What a command line means, or what is said against it. */
async function read(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<OutlierSettings | string | undefined> {
  let settings: OutlierSettings | undefined;
  const command = defineCommand({
    name: "run",
    summary: "",
    description: "",
    flags: outlierFlags,
    positionals: [],
    examples: [],
    run: ({ flags }) => {
      settings = outlierSettings(flags);
      return Promise.resolve(0);
    },
  });
  const { exitCode, stderr } = await runLine([command], ["run", ...args], { env });
  return exitCode === 0 ? settings : stderr;
}

describe("weft run: when endpoints are set aside", () => {
  it("by default as Envoy does, but for the share", async () => {
    assert.deepEqual(await read([]), defaultOutlierSettings);
    assert.deepEqual(defaultOutlierSettings, {
      consecutiveFailures: 5,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      maxEjectionPercent: 50,
    });
  });

  it("as flags and variables say", async () => {
    const wanted = {
      consecutiveFailures: 1,
      baseEjectionMs: 500,
      maxEjectionMs: 60_000,
      maxEjectionPercent: 0,
    };
    const args = [
      "--consecutive-failures",
      "1",
      "--base-ejection-time",
      "500ms",
      "--max-ejection-time",
      "1m",
    ];
    assert.deepEqual(await read([...args, "--max-ejection-percent", "0"]), wanted);
    const env = {
      WEFT_CONSECUTIVE_FAILURES: "1",
      WEFT_BASE_EJECTION_TIME: "500ms",
      WEFT_MAX_EJECTION_TIME: "1m",
      WEFT_MAX_EJECTION_PERCENT: "0",
    };
    assert.deepEqual(await read([], env), wanted);
  });

  it("never where it is off", async () => {
    assert.equal(await read(["--outlier-detection", "off"]), undefined);
    assert.equal(await read([], { WEFT_OUTLIER_DETECTION: "off" }), undefined);
    assert.deepEqual(
      await read(["--outlier-detection", "on"], { WEFT_OUTLIER_DETECTION: "off" }),
      defaultOutlierSettings,
    );
  });

  const wrong: [string[], RegExp][] = [
    [["--base-ejection-time", "0"], /--base-ejection-time must be longer than 0/],
    [["--consecutive-failures", "0"], /--consecutive-failures/],
    [["--max-ejection-percent", "101"], /--max-ejection-percent/],
    [["--outlier-detection", "maybe"], /--outlier-detection/],
  ];
  for (const [args, words] of wrong) {
    it(`refuses ${args.join(" ")}`, async () => assert.match(String(await read(args)), words));
  }
});
