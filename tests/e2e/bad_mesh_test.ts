/** What a user sees who gives the agent a bad mesh file: one clear error with its place, and nothing touched. */

import assert from "node:assert/strict";
import { afterAll, beforeAll, it } from "@std/testing/bdd";
import { bpffsPath } from "../../src/host/mod.ts";
import { describeKernel, runWeft, testPrefix } from "../kit/mod.ts";

const pinRoot = `${bpffsPath}/${testPrefix}-${Deno.pid}-bad`;

const workload = (more: string) =>
  `workloads:\n- uid: a\n  namespace: n\n  workloadIps: [10.0.0.1]\n  services: {}\n${more}`;

const service = (more: string) => `services:\n- name: s\n  namespace: n\n  hostname: h\n${more}`;

/** A file's text, and what the error must say of it: its place and what is wrong. */
const cases: readonly { readonly name: string; readonly text: string; readonly says: RegExp }[] = [
  { name: "zero bytes", text: "", says: /mesh\.yaml.*empty/ },
  { name: "not YAML", text: "workloads: [\n  {", says: /mesh\.yaml:\d+:\d+/ },
  { name: "two documents", text: "{}\n---\n{}\n", says: /mesh\.yaml:\d+:\d+.*document/ },
  { name: "an unknown key", text: workload("  weight: 3\n"), says: /mesh\.yaml:6:3.*workloads\[0\].*weight/ },
  { name: "__proto__", text: "__proto__: {}\n", says: /mesh\.yaml:1:1.*__proto__/ },
  {
    name: "a uid twice",
    text: workload("- uid: a\n  namespace: n\n  workloadIps: []\n  services: {}\n"),
    says: /mesh\.yaml:6:8: workloads\[1\]\.uid.*"a".*line 2/,
  },
  {
    name: "a bad address",
    text: workload("").replace("10.0.0.1", "10.0.0.01"),
    says: /mesh\.yaml:4:\d+.*workloadIps/,
  },
  {
    name: "a port of 70000",
    text: service("  vips: []\n  ports: { 70000: 80 }\n"),
    says: /mesh\.yaml:6:\d+.*65535/,
  },
  {
    name: 'a port of "80"',
    text: service('  vips: []\n  ports: { "80": 80 }\n'),
    says: /mesh\.yaml:6:\d+.*"80"/,
  },
  {
    name: "a number for a string",
    text: workload("  network: 5\n"),
    says: /mesh\.yaml:6:12: workloads\[0\]\.network: expected text, found 5/,
  },
];

describeKernel("weft run with a bad mesh file", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await Deno.makeTempDir();
  });
  afterAll(async () => {
    await Deno.remove(directory, { recursive: true });
  });

  async function refused(path: string): Promise<string> {
    const result = await runWeft(["run", "--mesh", path, "--pin-root", pinRoot]);
    assert.equal(result.code, 1, result.stderr);
    assert.ok(!/^\s+at /m.test(result.stderr), `no stack trace: ${result.stderr}`);
    assert.ok(result.stderr.split("\n").length <= 4, `one clear error: ${result.stderr}`);
    assert.throws(() => Deno.statSync(pinRoot), Deno.errors.NotFound, "nothing is pinned");
    return result.stderr;
  }

  for (const { name, text, says } of cases) {
    it(name, async () => {
      await Deno.writeTextFile(`${directory}/mesh.yaml`, text);
      assert.match(await refused(`${directory}/mesh.yaml`), says);
    });
  }

  it("a missing file", async () => {
    assert.match(await refused(`${directory}/none.yaml`), /none\.yaml/);
  });

  it("a directory", async () => {
    assert.match(await refused(directory), /directory/);
  });

  it("100 MB", async () => {
    const path = `${directory}/large.yaml`;
    await Deno.writeTextFile(path, "#");
    await Deno.truncate(path, 100 * 1024 * 1024);
    assert.match(await refused(path), /--max-mesh-bytes/);
  });
});
