/** `weft explain --mesh` as people use it in CI: no root, no agent, no kernel. */

import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { load } from "js-yaml";
import type { CommandResult } from "../kit/mod.ts";

const root = new URL("../..", import.meta.url).pathname;
const example = `${root}examples/near-zone-first.yaml`;

/** Runs it with nothing but what it may need: to read files and the environment. */
async function explain(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  const may = ["--allow-read", "--allow-env", "--no-prompt"];
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--cached-only", ...may, `${root}main.ts`, "explain", ...args],
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code: output.code, stdout: text.decode(output.stdout), stderr: text.decode(output.stderr) };
}

const web = "10.96.0.10:80";
const cache = "10.96.0.11:80";
const inZoneA = ["--mesh", example, "--region", "north", "--zone", "a"];

/** The answer as JSON, to a command that must succeed. */
async function answerOf(args: readonly string[], env?: Record<string, string>) {
  const { code, stdout, stderr } = await explain([...args, "-o", "json"], env);
  assert.deepEqual([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

describe("weft explain --mesh", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await Deno.makeTempDir();
  });
  afterAll(async () => {
    await Deno.remove(directory, { recursive: true });
  });

  it("says as JSON who is chosen, how often, and who is kept out", async () => {
    const { outcome, reason, endpoints, excluded } = await answerOf([web, ...inZoneA]);
    assert.deepEqual({ outcome, reason, endpoints, excluded }, {
      outcome: "endpoints",
      reason: "failover: the nearest of 3 tiers",
      endpoints: [
        { uid: "web-a1", address: "10.77.1.11", port: 8080, tier: 0, share: "1/3" },
        { uid: "web-a2", address: "10.77.1.12", port: 8080, tier: 0, share: "2/3" },
      ],
      excluded: [],
    });
  });

  it("says the same as YAML", async () => {
    const { code, stdout } = await explain([web, ...inZoneA, "-o", "yaml"]);
    assert.equal(code, 0);
    assert.deepEqual(load(stdout), await answerOf([web, ...inZoneA]));
  });

  it("says it to people as a table", async () => {
    const { code, stdout, stderr } = await explain([web, ...inZoneA]);
    assert.deepEqual([code, stderr], [0, ""]);
    for (
      const line of [
        /^outcome +endpoints$/m,
        /^service +shop\/web\.shop\.mesh\.test$/m,
        /^mode +Failover$/m,
        /^from +region north, zone a$/m,
        /^ *0 +web-a2 +10\.77\.1\.12 +8080 +2\/3/m,
        /^ *1 +web-b1 .*standby$/m,
        /^ *2 +web-s1 .*standby$/m,
      ]
    ) assert.match(stdout, line);
  });

  it("answers 0 also where the answer is that nothing gets through", async () => {
    const { outcome, reason, endpoints, excluded } = await answerOf([
      ...[cache, "--mesh", example],
      ...["--region", "north", "--zone", "c"],
    ]);
    assert.deepEqual({ outcome, reason, endpoints, excluded }, {
      outcome: "none",
      reason: "strict, no local endpoint",
      endpoints: [],
      excluded: [{ uid: "web-a1", reason: "not local" }, { uid: "web-b1", reason: "not local" }],
    });
  });

  it("UDP, unknown addresses, and a workload's own", async () => {
    assert.equal((await answerOf(["10.96.0.10:81", ...inZoneA])).outcome, "none");
    assert.equal((await answerOf(["10.96.0.10:81", "--udp", ...inZoneA])).outcome, "passthrough");
    assert.equal((await answerOf(["[fd00::1]:80", ...inZoneA])).outcome, "unknown");
    const { outcome, endpoints } = await answerOf(["[::ffff:10.77.2.11]:9999", ...inZoneA]);
    assert.deepEqual({ outcome, endpoints }, {
      outcome: "endpoints",
      endpoints: [{ uid: "web-b1", address: "10.77.2.11", port: 9999, tier: 0, share: "1/1" }],
    });
  });

  describe("where the node is", () => {
    const uids = async (args: readonly string[], env?: Record<string, string>) =>
      (await answerOf([web, "--mesh", example, ...args], env)).endpoints.map(({ uid }: { uid: string }) =>
        uid
      );
    const all = ["web-a1", "web-a2", "web-b1", "web-s1"];

    it("flags, or the environment; a flag wins", async () => {
      assert.deepEqual(await uids([], { WEFT_REGION: "north", WEFT_ZONE: "b" }), ["web-b1"]);
      assert.deepEqual(await uids(["--zone", "b"], { WEFT_REGION: "north", WEFT_ZONE: "a" }), ["web-b1"]);
    });

    it("an empty value is one, however it is written", async () => {
      assert.deepEqual(await uids(["--region", ""]), all);
      assert.deepEqual(await uids(["--region=south", "--zone="]), ["web-s1"]);
      assert.deepEqual(await uids(["--zone", "b"], { WEFT_REGION: "" }), all);
    });

    it("nothing, where nothing is said", async () => {
      assert.deepEqual(await uids([]), all);
    });

    it("as the workloads of the node say, with a warning where they do not agree", async () => {
      const on = (uid: string, zone: string) =>
        `  - uid: ${uid}\n    namespace: n\n    workloadIps: []\n    services: {}\n    node: n1\n` +
        `    locality: { region: north, zone: ${zone}, subzone: "" }\n`;
      const text = await Deno.readTextFile(example);
      const path = `${directory}/here.yaml`;
      const args = [web, "--mesh", path, "--node", "n1", "-o", "json"];
      await Deno.writeTextFile(
        path,
        text.replace("workloads:\n", `workloads:\n${on("x", "b")}${on("y", "b")}`),
      );
      const known = await explain(args);
      assert.deepEqual([known.code, known.stderr], [0, ""]);
      assert.equal(JSON.parse(known.stdout).node.zone, "b");
      await Deno.writeTextFile(
        path,
        text.replace("workloads:\n", `workloads:\n${on("x", "b")}${on("y", "a")}`),
      );
      const quarrel = await explain(args);
      assert.equal(quarrel.code, 0);
      assert.match(quarrel.stderr, /^weft: the workloads on node n1 do not agree where it is /);
      assert.equal(JSON.parse(quarrel.stdout).node.zone, "");
    });
  });

  it("1 for a file that is refused, with the place, or is not there", async () => {
    const path = `${directory}/bad.yaml`;
    await Deno.writeTextFile(path, "workloads: []\nsurprise: 1\n");
    const refused = await explain([web, "--mesh", path]);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /bad\.yaml:2:1.*surprise/);
    const missing = await explain([web, "--mesh", `${directory}/none.yaml`]);
    assert.deepEqual([missing.code, missing.stdout], [1, ""]);
    assert.match(missing.stderr, /none\.yaml/);
  });

  for (
    const [what, args] of [
      ["no address", ["--mesh", example]],
      ["no port", ["10.96.0.10", "--mesh", example]],
      ["a bad port", ["10.96.0.10:0", "--mesh", example]],
      ["a name", ["web.shop:80", "--mesh", example]],
      ["brackets around IPv4", ["[10.96.0.10]:80", "--mesh", example]],
      ["IPv6 without brackets", ["fd00::1:80", "--mesh", example]],
      ["two addresses", [web, cache, "--mesh", example]],
      ["an unknown flag", [web, "--mesh", example, "--rack", "7"]],
      ["an unknown format", [web, "--mesh", example, "-o", "xml"]],
      ["a flag without its value", [web, "--mesh", example, "--zone"]],
      ["where the node is, to an agent that knows", [web, "--zone", "a"]],
    ] as const
  ) {
    it(`2 for wrong usage: ${what}`, async () => {
      const { code, stdout, stderr } = await explain(args);
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(stderr, /^weft: /);
      assert.doesNotMatch(stderr, /^\s+at /m, "no stack trace");
    });
  }
});
