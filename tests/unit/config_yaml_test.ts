import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { MeshFileError, parseMesh } from "../../src/config/mod.ts";
import { parseYaml, YamlFloat, YamlMap, YamlTagged, type YamlValue } from "../../src/config/yaml_tree.ts";

/** What the tree makes of a text. */
function root(text: string): YamlValue | undefined {
  return parseYaml({ file: "mesh.yaml", text }, { tags: new Set(["!Exact"]) }).root;
}

/** The message for a text that is refused, and how long it took. */
function refusal(text: string): string {
  const before = performance.now();
  let message = "";
  assert.throws(() => parseMesh(text, "mesh.yaml"), (error) => {
    assert.ok(error instanceof MeshFileError, `expected a MeshFileError, got ${error}`);
    message = error.message;
    return true;
  });
  const took = performance.now() - before;
  assert.ok(took < 60_000, `it took ${took} ms`);
  return message;
}

describe("YAML scalars", () => {
  const scalars: [text: string, value: YamlValue][] = [
    ["80", 80],
    ["-1", -1],
    ["+5", 5],
    ["0080", 80],
    ["0x1F", 31],
    ["0o17", 15],
    ["80.0", new YamlFloat("80.0")],
    ["8e1", new YamlFloat("8e1")],
    [".inf", new YamlFloat(".inf")],
    ["1_000", "1_000"],
    ["0b11", "0b11"],
    ["10:30", "10:30"],
    ["10.0.0.1", "10.0.0.1"],
    ['"80"', "80"],
    ["'80'", "80"],
    ["!!str 80", "80"],
    ["! 80", "80"],
    ['!!int "80"', 80],
    ["!<tag:yaml.org,2002:int> 80", 80],
    ["!!float 80", new YamlFloat("80")],
    ["on", "on"],
    ["yes", "yes"],
    ["No", "No"],
    ["true", true],
    ["False", false],
    ['"true"', "true"],
    ["~", null],
    ["Null", null],
    ["nothing", "nothing"],
    ["'null'", "null"],
    ["2026-01-01", "2026-01-01"],
    ["|\n  a\n  b", "a\nb\n"],
    [">\n  a\n  b", "a b\n"],
    ['"\\u0041"', "A"],
    ["!Exact a", new YamlTagged("!Exact", "a")],
    ["!Exact 5", new YamlTagged("!Exact", 5)],
  ];
  for (const [text, value] of scalars) {
    it(text.replaceAll("\n", "\\n"), () => {
      const map = root(`key: ${text}\n`);
      assert.ok(map instanceof YamlMap);
      assert.deepEqual(map.values, [value]);
    });
  }
});

describe("YAML documents", () => {
  for (const text of ["", "\n \n", "# a comment\n", "---\n", "--- # a comment\n...\n"]) {
    it(`${JSON.stringify(text)} has no content and is the empty mesh`, () => {
      assert.equal(root(text), undefined);
      assert.deepEqual(parseMesh(text, "mesh.yaml"), {
        mesh: { workloads: [], services: [], policies: [] },
        warnings: [],
      });
    });
  }

  it("{} and keys without values are the empty mesh", () => {
    for (const text of ["{}", "workloads:\nservices:\npolicies:\n", "--- {}\n...\n", "%YAML 1.2\n--- {}\n"]) {
      const mesh = { workloads: [], services: [], policies: [] };
      assert.deepEqual(parseMesh(text, "mesh.yaml").mesh, mesh);
    }
  });

  const refused: [why: string, text: string, message: string][] = [
    [
      "two documents",
      "services: []\n---\nservices: []\n",
      "mesh.yaml:3:1: a second YAML document begins here; a mesh file is one document",
    ],
    [
      "a second document without content",
      "services: []\n---\n",
      "mesh.yaml:3:1: a second YAML document begins here; a mesh file is one document",
    ],
    [
      "what is not YAML",
      "services: [,]\n",
      "mesh.yaml:1:12: not valid YAML: expected the node content, but found ','",
    ],
    [
      "a tab as indentation",
      "services:\n\t- a\n",
      "mesh.yaml:2:1: not valid YAML: tab characters must not be used in indentation",
    ],
    [
      "a quote that is never closed",
      "services: 'a\n",
      "mesh.yaml:2:1: not valid YAML: deficient indentation; " +
      "lines within brackets or quotes must be indented more than the key they belong to",
    ],
    ["a zero byte", "a: \0", "mesh.yaml:1:4: not valid YAML: null byte is not allowed in input"],
    ["an unknown tag", "services: !Foo []\n", "mesh.yaml:1:11: unknown tag !Foo"],
    ["an unknown tag on text", "services: !Foo x\n", "mesh.yaml:1:11: unknown tag !Foo"],
    ["a tag on the wrong kind of value", "services: !!map []\n", "mesh.yaml:1:11: unknown tag !!map"],
    [
      "a tag that the value contradicts",
      "services: !!int x\n",
      "mesh.yaml:1:11: this is no value for the tag !!int",
    ],
    ["a tag directive", "%TAG ! tag:x,2026:\n--- {}\n", "mesh.yaml:1:1: %TAG directives are not supported"],
    [
      "an alias of nothing",
      "services: *x\n",
      "mesh.yaml:1:11: the alias *x stands for nothing that is complete before it",
    ],
    [
      "an alias within what it stands for",
      "services: &x [*x]\n",
      "mesh.yaml:1:15: the alias *x stands for nothing that is complete before it",
    ],
  ];
  for (const [why, text, message] of refused) {
    it(`refuses ${why}`, () => assert.equal(refusal(text), message));
  }

  it("an alias is what it stands for, the last of a name", () => {
    assert.deepEqual(root("[&a x, *a, &a [y], *a]"), ["x", "x", ["y"], ["y"]]);
  });
});

describe("YAML out of proportion", () => {
  const tooDeep = "not valid YAML: nesting exceeded maxDepth (64); a mesh file is ten levels deep";
  const bombs: [why: string, text: string, message: string | RegExp][] = [
    ["100,000 brackets", "[".repeat(100_000), `mesh.yaml:1:64: ${tooDeep}`],
    ["a million brackets", "[".repeat(1_000_000), `mesh.yaml:1:64: ${tooDeep}`],
    ["a million braces", "{a: ".repeat(1_000_000), `mesh.yaml:1:250: ${tooDeep}`],
    ["a million dashes", "- ".repeat(1_000_000), `mesh.yaml:1:129: ${tooDeep}`],
    ["a million question marks", "? ".repeat(1_000_000), `mesh.yaml:1:128: ${tooDeep}`],
    [
      "a staircase of keys",
      Array.from({ length: 3000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
      `mesh.yaml:64:64: ${tooDeep}`,
    ],
    [
      "a bracket a line in a key that is ignored",
      `workloads: [{locality: {x: ${"[".repeat(1000)}`,
      /^mesh\.yaml:1:\d+: not valid YAML: nesting exceeded/,
    ],
    ["a quote over many lines", `services: "${" x\n".repeat(1_000_000)}`, /not valid YAML/],
    ["a million documents", "---\n".repeat(1_000_000), /a second YAML document begins here/],
    [
      "a million keys",
      `{${Array.from({ length: 1_000_000 }, (_, i) => `k${i}`).join(",")}}`,
      /unknown key "k0"/,
    ],
    [
      "a tag of ten million characters",
      `{a: !${"x".repeat(10_000_000)} 1}`,
      /^mesh\.yaml: not valid YAML: some part of it is too long$/,
    ],
    ["a tag of ten thousand characters", `{a: !${"x".repeat(10_000)} 1}`, /unknown tag !xxx/],
    ["an alias of ten million characters", `{a: *${"x".repeat(10_000_000)} }`, /the alias \*xxx/],
    ["a number of ten million digits", `{workloads: ${"1".repeat(10_000_000)}}`, /found 111|found "111/],
    ["a key of ten million characters", `{${"x".repeat(10_000_000)}: 1}`, /unknown key "xxx/],
  ];
  for (const [why, text, message] of bombs) {
    it(why, () => {
      const said = refusal(text);
      if (typeof message === "string") assert.equal(said, message);
      else assert.match(said, message);
      assert.ok(said.length < 1000, "the message repeats the bomb");
    });
  }

  it("a billion laughs", () => {
    const lines = ["a: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"];
    for (let i = 1; i < 10; i++) lines.push(`b${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(", ")}]`);
    assert.match(refusal(lines.join("\n")), /^mesh\.yaml:7:\d+: aliases repeat more than 4000000 values$/);
  });

  it("aliases in proportion", () => {
    const workload = (i: number) =>
      `  - {uid: u${i}, namespace: n, workloadIps: [], services: *s, locality: *l}\n`;
    const first = "  - {uid: u, namespace: n, workloadIps: [], services: &s {n/h: {80: 1}}," +
      " locality: &l {region: r, zone: z, subzone: s}}\n";
    const rest = Array.from({ length: 2000 }, (_, i) => workload(i)).join("");
    const { mesh } = parseMesh(`workloads:\n${first}${rest}`, "mesh.yaml");
    assert.equal(mesh.workloads.length, 2001);
    assert.deepEqual(mesh.workloads[2000].traits.locality, { region: "r", zone: "z", subzone: "s" });
    assert.deepEqual(mesh.workloads[2000].services, new Map([["n/h", new Map([[80, 1]])]]));
  });

  it("more values than there is memory for", () => {
    const source = { file: "mesh.yaml", text: `services: [${"a,".repeat(1000)}]` };
    assert.throws(() => parseYaml(source, { maxValues: 1000 }), {
      name: "MeshFileError",
      message: "mesh.yaml:1:1: more than 1000 values, which this process has no memory for; write fewer",
    });
    assert.ok(parseYaml(source, { maxValues: 1100 }).root instanceof YamlMap);
  });
});
