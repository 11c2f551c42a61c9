import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { MeshFileError, parseMesh, readMeshFile } from "../../src/config/mod.ts";

/** A workload in block style; `more` are further lines of it, the first of which is line 6. */
function workload(...more: string[]): string {
  const lines = ["- uid: u", "  namespace: n", "  workloadIps: [10.0.0.1]", "  services: {}"];
  return ["workloads:", ...lines, ...more.map((line) => `  ${line}`), ""].join("\n");
}

/** A service in block style; `more` are further lines of it, the first of which is line 7. */
function service(...more: string[]): string {
  const lines = [
    "- name: web",
    "  namespace: n",
    "  hostname: h",
    "  vips: [/10.96.0.1]",
    "  ports: {80: 8080}",
  ];
  return ["services:", ...lines, ...more.map((line) => `  ${line}`), ""].join("\n");
}

/** The error that a text causes. */
function errorOf(text: string): MeshFileError {
  try {
    parseMesh(text, "mesh.yaml");
  } catch (error) {
    assert.ok(error instanceof MeshFileError, `expected a MeshFileError, got ${error}`);
    return error;
  }
  throw new assert.AssertionError({ message: "expected an error, got none" });
}

const workloadKeys =
  "uid, name, namespace, workloadIps, services, network, node, clusterId, locality, status, " +
  "capacity, protocol, networkMode, networkGateway, waypoint, hostname, serviceAccount, trustDomain, " +
  "workloadName, workloadType, canonicalName, canonicalRevision, nativeTunnel, applicationTunnel, " +
  "authorizationPolicies";

const refused: { why: string; text: string; message: string }[] = [
  {
    why: "a text for a number",
    text: workload(`capacity: "5"`),
    message: `mesh.yaml:6:13: workloads[0].capacity: expected an integer 0..4294967295, found "5"`,
  },
  {
    why: "an unknown key",
    text: workload("weight: 3"),
    message: `mesh.yaml:6:3: workloads[0].weight: unknown key "weight", expected one of ${workloadKeys}`,
  },
  {
    why: "an unknown key that resembles one",
    text: workload("workload_ips: []"),
    message:
      `mesh.yaml:6:3: workloads[0].workload_ips: unknown key "workload_ips", did you mean workloadIps?`,
  },
  {
    why: "__proto__",
    text: "__proto__: {}",
    message:
      `mesh.yaml:1:1: __proto__: unknown key "__proto__", expected one of workloads, services, policies`,
  },
  {
    why: "__proto__ in a struct of a workload",
    text: workload("waypoint: {destination: a/b, hboneMtlsPort: 1, __proto__: {}}"),
    message: 'mesh.yaml:6:50: workloads[0].waypoint.__proto__: unknown key "__proto__", ' +
      "expected one of destination, hboneMtlsPort",
  },
  {
    why: "a merge key, which YAML 1.2 does not have",
    text: "<<: {workloads: []}",
    message: `mesh.yaml:1:1: ["<<"]: unknown key "<<", expected one of workloads, services, policies`,
  },
  {
    why: "a key that is a number",
    text: "5: []",
    message: "mesh.yaml:1:1: [5]: unknown key 5, expected one of workloads, services, policies",
  },
  {
    why: "a key that is a list",
    text: "? [workloads]\n: []",
    message: "mesh.yaml:1:3: unknown key a list, expected one of workloads, services, policies",
  },
  {
    why: "a key twice",
    text: workload("uid: v"),
    message: `mesh.yaml:6:3: workloads[0].uid: the key "uid" is here a second time, first in line 2`,
  },
  {
    why: "a top-level key twice",
    text: "workloads: []\nservices: []\nworkloads: []\n",
    message: `mesh.yaml:3:1: workloads: the key "workloads" is here a second time, first in line 1`,
  },
  {
    why: "a missing key",
    text: "services:\n- namespace: n\n  hostname: h\n  vips: []\n  ports: {}\n",
    message: `mesh.yaml:2:3: services[0]: missing key "name", expected text`,
  },
  {
    why: "several problems: the first in the file, whatever the schema's order",
    text: workload("capacity: x", "name: 5", "foo: 1", "network: true"),
    message: 'mesh.yaml:6:13: workloads[0].capacity: expected an integer 0..4294967295, found "x" ' +
      "(and 3 other problems)",
  },
  {
    why: "problems under several keys: the first in the file",
    text: "services: 5\nworkloads: 6\n",
    message: "mesh.yaml:1:11: services: expected a list, found 5 (and 1 other problem)",
  },
  {
    why: "very many problems",
    text: `workloads: [${"5,".repeat(100)}]`,
    message: `mesh.yaml:1:13: workloads[0]: expected a map of ${workloadKeys}, found 5 ` +
      "(and 19 or more other problems)",
  },
  {
    why: "a value that is not written",
    text: workload("network:", "node: x"),
    message: "mesh.yaml:6:3: workloads[0].network: expected text, found nothing",
  },
  {
    why: "a membership's port",
    text: workload().replace("{}", "{a/b.c: {80: 80, 443: 70000}}"),
    message: 'mesh.yaml:5:35: workloads[0].services["a/b.c"][443]: expected an integer 0..65535, found 70000',
  },
  {
    why: "the value of an entry that a later one replaces",
    text: service("canonical: true").replace("{80: 8080}", "{80: x, 80: 8080}"),
    message: `mesh.yaml:6:15: services[0].ports[80]: expected an integer 0..65535, found "x"`,
  },
  {
    why: "a port key of the wrong kind",
    text: service().replace("80:", '"80":'),
    message: `mesh.yaml:6:11: services[0].ports["80"]: expected an integer 0..65535 as key, found "80"`,
  },
  {
    why: "a column after characters of several bytes and code units",
    text: "services: [{name: 🙂🙂é, namespace: 5, hostname: h, vips: [], ports: {}}]",
    message: "mesh.yaml:1:35: services[0].namespace: expected text, found 5",
  },
  {
    why: "lines that end as in DOS",
    text: workload("capacity: x").replaceAll("\n", "\r\n"),
    message: 'mesh.yaml:6:13: workloads[0].capacity: expected an integer 0..4294967295, found "x"',
  },
  {
    why: "a long text, shortened",
    text: workload(`status: ${"x".repeat(1000)}`),
    message: `mesh.yaml:6:11: workloads[0].status: expected one of Healthy, Unhealthy, found "${
      "x".repeat(320)
    }…"`,
  },
  {
    why: "a text with a line's end, on one line",
    text: workload(`status: "a\\nb"`),
    message: 'mesh.yaml:6:11: workloads[0].status: expected one of Healthy, Unhealthy, found "a\\nb"',
  },
  {
    why: "something behind an alias: its own place is the alias's",
    text: "services: &list []\nworkloads: &text hello\npolicies: *text\n",
    message: 'mesh.yaml:2:12: workloads: expected a list, found "hello" (and 1 other problem)',
  },
  {
    why: "a value that is right where it stands and wrong where an alias repeats it",
    text: workload("name: &five five", "capacity: *five"),
    message: 'mesh.yaml:7:13: workloads[0].capacity: expected an integer 0..4294967295, found "five"',
  },
  {
    why: "two workloads with the same uid",
    text: workload() + workload().replace("workloads:\n", ""),
    message:
      'mesh.yaml:6:8: workloads[1].uid: a second workload with the uid "u", the first is workloads[0] in line 2',
  },
  {
    why: "two workloads without a uid",
    text: (workload() + workload().replace("workloads:\n", "")).replaceAll("uid", "name"),
    message:
      "mesh.yaml:6:3: workloads[1]: a second workload without a uid, the first is workloads[0] in line 2",
  },
  {
    why: "two services with the same namespace and hostname",
    text: service() + service().replace("services:\n", "").replace("web", "other"),
    message: 'mesh.yaml:9:13: services[1].hostname: a second service "n/h" (namespace/hostname), ' +
      "the first is services[0] in line 4",
  },
  {
    why: "a top level that is a list",
    text: "- workloads: []",
    message: "mesh.yaml:1:1: expected a map of workloads, services, policies, found a list",
  },
  {
    why: "a top level that is text, as in a file that is something else",
    text: "hello, world\n",
    message: 'mesh.yaml:1:1: expected a map of workloads, services, policies, found "hello, world"',
  },
  {
    why: "a top level that is null, written",
    text: "null",
    message: "mesh.yaml:1:1: expected a map of workloads, services, policies, found null",
  },
];

describe("parseMesh, what it says of a file that can't be used", () => {
  for (const { why, text, message } of refused) {
    it(why, () => assert.equal(errorOf(text).message, message));
  }

  it("the error's fields are the message's parts", () => {
    const { file, line, column, path } = errorOf(workload("capacity: x"));
    assert.deepEqual(
      { file, line, column, path },
      { file: "mesh.yaml", line: 6, column: 13, path: "workloads[0].capacity" },
    );
  });
});

describe("readMeshFile", () => {
  /** A file with these contents, its path, and its end. */
  async function withFile(
    contents: Uint8Array | string,
    use: (path: string) => Promise<void>,
  ): Promise<void> {
    const directory = await Deno.makeTempDir({ prefix: "weft-mesh-file-" });
    try {
      const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
      await Deno.writeFile(`${directory}/mesh.yaml`, bytes);
      await use(`${directory}/mesh.yaml`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }

  function refusal(path: string, problem: string, place = ""): { name: string; message: string } {
    return { name: "MeshFileError", message: `${path}${place}: ${problem}` };
  }

  it("reads a file", () =>
    withFile(service(), async (path) => {
      const { mesh, warnings } = await readMeshFile(path);
      assert.deepEqual(mesh.services.map(({ hostname }) => hostname), ["h"]);
      assert.deepEqual(warnings, []);
    }));

  it("refuses a file that is not there", async () => {
    await assert.rejects(readMeshFile("/nowhere/mesh.yaml"), refusal("/nowhere/mesh.yaml", "no such file"));
  });

  it("refuses a directory", () =>
    withFile("", async (path) => {
      const directory = path.replace("/mesh.yaml", "");
      await assert.rejects(
        readMeshFile(directory),
        refusal(directory, "expected a mesh file, found a directory"),
      );
    }));

  it("refuses a device", async () => {
    const problem = "expected a mesh file, found a device, a pipe or a socket";
    await assert.rejects(readMeshFile("/dev/zero"), refusal("/dev/zero", problem));
  });

  it(
    "refuses a file that it may not read",
    { ignore: Deno.uid() === 0 },
    () =>
      withFile("{}", async (path) => {
        await Deno.chmod(path, 0);
        const problem = "permission denied; the agent's user must be able to read it";
        await assert.rejects(readMeshFile(path), refusal(path, problem));
      }),
  );

  it("refuses a link that leads to itself", () =>
    withFile("", async (path) => {
      await Deno.symlink("loop", `${path}-loop`.replace("mesh.yaml-loop", "loop"));
      const loop = path.replace("mesh.yaml", "loop");
      await assert.rejects(readMeshFile(loop), refusal(loop, "too many symbolic links"));
    }));

  it("refuses a file of zero bytes", () =>
    withFile("", async (path) => {
      await assert.rejects(
        readMeshFile(path),
        refusal(path, "the file is empty; an empty mesh is written as {}"),
      );
    }));

  it("refuses a file that is too large, unread", () =>
    withFile("{}", async (path) => {
      await Deno.truncate(path, 100_000_000);
      const problem =
        "the file has 100000000 bytes, more than the 67108864 allowed; raise --max-mesh-bytes to read it";
      await assert.rejects(readMeshFile(path), refusal(path, problem));
    }));

  it("takes another limit", () =>
    withFile("{} # 10 b", async (path) => {
      assert.deepEqual((await readMeshFile(path, { maxBytes: 9 })).mesh.services, []);
      const problem = "the file has 9 bytes, more than the 8 allowed; raise --max-mesh-bytes to read it";
      await assert.rejects(readMeshFile(path, { maxBytes: 8 }), refusal(path, problem));
    }));

  it("refuses zero bytes in a file, with the line", () =>
    withFile("services: []\n\0\n", async (path) => {
      await assert.rejects(readMeshFile(path), refusal(path, "not text: it contains a zero byte", ":2"));
    }));

  it("refuses what is not UTF-8, with the line", () =>
    withFile(new Uint8Array([0x23, 0xc3, 0xa9, 0x0a, 0x23, 0xe9, 0x0a]), async (path) => {
      await assert.rejects(readMeshFile(path), refusal(path, "not UTF-8 text", ":2"));
    }));

  it("refuses UTF-8 that ends within a character", () =>
    withFile(new Uint8Array([0x23, 0xc3]), async (path) => {
      await assert.rejects(readMeshFile(path), refusal(path, "not UTF-8 text", ":1"));
    }));

  it("passes over a byte order mark", () =>
    withFile("\ufeffservices: []\n", async (path) => {
      assert.deepEqual((await readMeshFile(path)).mesh.services, []);
    }));
});
