import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { defineCommand } from "../../src/cli/command.ts";
import { asksForHelp, parseArguments } from "../../src/cli/flags.ts";
import { UsageError } from "../../src/cli/user_error.ts";

const command = defineCommand({
  name: "try",
  summary: "a command for these tests",
  description: "Does nothing.",
  flags: [
    { kind: "string", name: "mesh", valueName: "FILE", help: "the mesh", env: "WEFT_MESH" },
    { kind: "string", name: "zone", valueName: "NAME", help: "where", env: "WEFT_ZONE", mayBeEmpty: true },
    { kind: "string", name: "pin-root", valueName: "PATH", help: "where the pins are", default: "/pins" },
    { kind: "boolean", name: "keep", help: "keep", env: "WEFT_KEEP" },
    { kind: "boolean", name: "detach", short: "d", help: "detach" },
    { kind: "duration", name: "wait", valueName: "DURATION", help: "how long", default: "15s" },
    { kind: "integer", name: "count", valueName: "N", help: "how many", minimum: 1, maximum: 10 },
    { kind: "integer", name: "offset", valueName: "N", help: "from where", default: 0 },
    {
      kind: "choice",
      name: "output",
      short: "o",
      valueName: "FORMAT",
      choices: ["table", "json"],
      help: "how",
    },
  ],
  positionals: [{ name: "SERVICE", help: "which service", optional: true }],
  examples: [],
  run: () => Promise.resolve(0),
});

const needy = defineCommand({
  name: "needy",
  summary: "wants everything",
  description: "Does nothing.",
  flags: [{
    kind: "string",
    name: "mesh",
    valueName: "FILE",
    help: "the mesh",
    required: true,
    env: "WEFT_MESH",
  }],
  positionals: [{ name: "SERVICE", help: "which service" }],
  examples: [],
  run: () => Promise.resolve(0),
});

const parse = (args: string[], env: Record<string, string> = {}, which = command) =>
  parseArguments(which, args, (name) => env[name]);

/** Whether the arguments are refused with this message and, where it is given, this remedy. */
async function refuses(args: string[], message: RegExp, remedy?: RegExp, env?: Record<string, string>) {
  await assert.rejects(parse(args, env), (error) => {
    assert.ok(error instanceof UsageError);
    assert.equal(error.exitCode, 2);
    assert.match(error.message, message);
    if (remedy) assert.match(error.remedy ?? "", remedy);
    return true;
  });
}

describe("parseArguments", () => {
  it("gives every flag its default", async () => {
    assert.deepEqual((await parse([])).flags, {
      mesh: undefined,
      "pin-root": "/pins",
      keep: false,
      detach: false,
      wait: 15_000,
      zone: undefined,
      count: undefined,
      offset: 0,
      output: undefined,
    });
  });

  it("reads values behind a space and behind an equals sign", async () => {
    const { flags, args } = await parse(
      "--mesh a.yaml --wait=200ms --count 3 --keep --offset=-5 web".split(" "),
    );
    assert.equal(flags.mesh, "a.yaml");
    assert.equal(flags.wait, 200);
    assert.equal(flags.count, 3);
    assert.equal(flags.offset, -5);
    assert.equal(flags.keep, true);
    assert.deepEqual(args, { SERVICE: "web" });
  });

  for (const spelling of [["-o", "json"], ["-ojson"], ["-o=json"], ["--output", "json"], ["--output=json"]]) {
    it(`reads ${spelling.join(" ")}`, async () => assert.equal((await parse(spelling)).flags.output, "json"));
  }

  it("reads a short boolean", async () => assert.equal((await parse(["-d"])).flags.detach, true));
  it("reads --keep=false", async () => assert.equal((await parse(["--keep=false"])).flags.keep, false));

  it("leaves a string that looks like a number alone", async () => {
    const { flags, args } = await parse(["--mesh", "0x10", "007"]);
    assert.equal(flags.mesh, "0x10");
    assert.equal(args.SERVICE, "007");
  });

  it("takes everything behind -- for arguments", async () => {
    assert.equal((await parse(["--", "-odd"])).args.SERVICE, "-odd");
    await refuses(["--", "-ojson", "--keep"], /unexpected argument "--keep"/);
  });

  it("refuses an unknown flag and says which was meant", async () => {
    await refuses(["--mehs", "a"], /^unknown flag --mehs for weft try$/, /did you mean --mesh\?/);
    await refuses(["--pin_root=/x"], /^unknown flag --pin_root /, /--pin-root/);
    await refuses(["--colour"], /^unknown flag --colour /, /weft try --help/);
    await refuses(["-dx"], /^unknown flag -d /);
    await refuses(["-x"], /^unknown flag -x /);
    await refuses(["--mesh.a=b"], /^unknown flag --mesh\.a /);
    await refuses(["--__proto__=b"], /^unknown flag --__proto__ /);
    await refuses(["--no-keep"], /^unknown flag --no-keep /);
  });

  it("refuses a flag without its value", async () => {
    for (const args of [["--mesh"], ["--mesh="], ["--mesh", "--keep"], ["--mesh", ""]]) {
      await refuses(args, /^--mesh needs a value$/, /--mesh FILE/);
    }
    await refuses(["-o"], /^--output needs a value$/);
    await refuses(["--count", "-5"], /unknown flag -5|--count needs a value/);
  });

  it("takes nothing for a value where it may be one, written so", async () => {
    for (const args of [["--zone="], ["--zone", ""], ["--zone", "", "--keep"], ["web", "--zone", ""]]) {
      assert.equal((await parse(args)).flags.zone, "");
    }
    assert.equal((await parse(["--zone", "", "web"])).args.SERVICE, "web");
    assert.equal((await parse([])).flags.zone, undefined);
    assert.equal((await parse([], { WEFT_ZONE: "" })).flags.zone, "");
    assert.equal((await parse(["--zone="], { WEFT_ZONE: "a" })).flags.zone, "");
    for (const args of [["--zone"], ["--zone", "--keep"], ["--keep", "--zone"]]) {
      await refuses(args, /^--zone needs a value$/, /--zone NAME/);
    }
    await refuses(["--zone", "", "--zone", ""], /^--zone is given 2 times$/);
  });

  it("refuses a flag that is given twice, whichever way", async () => {
    await refuses(["--mesh", "a", "--mesh", "b"], /^--mesh is given 2 times$/);
    await refuses(["-o", "json", "--output=table"], /^--output is given 2 times$/);
    await refuses(["--keep", "--keep"], /^--keep is given 2 times$/);
  });

  it("refuses a malformed value and says what was expected", async () => {
    await refuses(["--wait", "15"], /^--wait must be a duration such as 15s, 200ms or 1m, got "15"$/);
    await refuses(["--count", "3.5"], /^--count must be a whole number from 1 to 10, got "3.5"$/);
    await refuses(["--count", "11"], /from 1 to 10, got "11"/);
    await refuses(["--count=0x5"], /got "0x5"/);
    await refuses(["--count=99999999999999999999"], /got "9+"/);
    await refuses(["--output", "xml"], /^--output must be table or json, got "xml"$/);
    await refuses(["--keep=banana"], /^--keep takes no value, got "banana"$/);
  });

  it("does not take the word behind a boolean for its value", async () => {
    const { flags, args } = await parse(["--keep", "false"]);
    assert.equal(flags.keep, true);
    assert.equal(args.SERVICE, "false");
    assert.deepEqual(await parse(["-d", "true"]), await parse(["true", "--detach"]));
  });

  it("refuses an argument too many", async () => {
    await refuses(["web", "api"], /^unexpected argument "api"$/, /weft try --help/);
  });

  it("refuses to go without what is required", async () => {
    await assert.rejects(parse(["web"], {}, needy), /^UsageError: --mesh is missing$/);
    await assert.rejects(
      parse(["--mesh", "a"], {}, needy),
      /^UsageError: SERVICE is missing: which service$/,
    );
  });

  it("asks the environment for what is not given", async () => {
    assert.equal((await parse([], { WEFT_MESH: "e" })).flags.mesh, "e");
    assert.equal((await parse(["--mesh", "f"], { WEFT_MESH: "e" })).flags.mesh, "f");
    assert.equal((await parse([], { WEFT_MESH: "" })).flags.mesh, undefined);
    assert.equal((await parse([], { WEFT_KEEP: "1" })).flags.keep, true);
    assert.equal((await parse(["--keep=false"], { WEFT_KEEP: "1" })).flags.keep, false);
    assert.equal((await parse(["web"], { WEFT_MESH: "e" }, needy)).flags.mesh, "e");
    await refuses([], /^WEFT_KEEP must be 1 or 0, got "perhaps"$/, undefined, { WEFT_KEEP: "perhaps" });
  });
});

describe("asksForHelp", () => {
  it("finds --help and -h, but not behind --", () => {
    assert.equal(asksForHelp(["--mesh", "a", "--help"]), true);
    assert.equal(asksForHelp(["-h"]), true);
    assert.equal(asksForHelp(["--", "--help"]), false);
    assert.equal(asksForHelp([]), false);
  });
});
