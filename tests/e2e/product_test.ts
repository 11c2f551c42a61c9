/** The product's real shape: one file, run from another directory, as the README says. */

import assert from "node:assert/strict";
import { it } from "@std/testing/bdd";
import { bpffsPath, cgroup2Mount, createCgroup } from "../../src/host/mod.ts";
import { describeKernel, patience, removeLeftovers, testPrefix } from "../kit/mod.ts";

const root = new URL("../..", import.meta.url).pathname;
const binary = `${root}dist/weft`;

function isBuilt(): boolean {
  try {
    return Deno.statSync(binary).isFile;
  } catch {
    console.log("SKIPPED: dist/weft is not built (deno task compile): the compiled binary's tests");
    return false;
  }
}

const built = isBuilt();

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the binary from a directory with nothing of the source tree in it. */
async function weft(...args: string[]): Promise<Result> {
  const output = await new Deno.Command(binary, { args, cwd: "/", stdin: "null" }).output();
  const text = new TextDecoder();
  return { code: output.code, stdout: text.decode(output.stdout), stderr: text.decode(output.stderr) };
}

describeKernel("the compiled binary", () => {
  const test = built ? it : it.skip;

  test("runs, tells its status, and leaves nothing after detach", async () => {
    await removeLeftovers();
    const name = `${testPrefix}-${Deno.pid}-product`;
    await using cgroup = createCgroup(cgroup2Mount(), name);
    const pinRoot = `${bpffsPath}/${name}`;
    const socket = `/run/${name}.sock`;
    const common = ["--pin-root", pinRoot, "--socket", socket];
    const agent = new Deno.Command(binary, {
      args: ["run", "--mesh", `${root}examples/two-zones.yaml`, "--cgroup", cgroup.path, ...common],
      cwd: "/",
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    try {
      const status = await weft("status", "--wait", `${patience(15_000)}ms`, "-o", "json", ...common);
      assert.equal(status.code, 0, status.stdout + status.stderr);
      assert.equal(JSON.parse(status.stdout).mesh.services, 1);
      assert.match(
        Deno.readTextFileSync(`/proc/${agent.pid}/environ`),
        /(^|\0)DENO_TOKIO_EVENT_INTERVAL=\d+\0/,
      );
      const services = await weft("services", ...common);
      assert.match(
        services.stdout,
        /shop\/web\.shop\.mesh\.test {2}10\.96\.0\.10 fd96::10 {2}80→8080 {2}3\/4/,
      );
      const endpoints = await weft("endpoints", "web", ...common);
      assert.match(endpoints.stdout, /10\.77\.2\.11:8080 +web-b1 +2 +Healthy +50\.0% +0 {2}serving/);
    } finally {
      agent.kill("SIGTERM");
      const { code, stderr } = await agent.output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    }
    const stopped = await weft("status", "-o", "json", ...common);
    assert.equal(stopped.code, 1, "no agent runs");
    const attached = JSON.parse(stopped.stdout).programs.filter((one: { state: string }) =>
      one.state === "attached"
    );
    assert.equal(attached.length, 10, "SIGTERM leaves the kernel serving");
    assert.match((await weft("detach", "--pin-root", pinRoot)).stdout, /detached 10 programs/);
    assert.throws(() => Deno.statSync(pinRoot), Deno.errors.NotFound);
  });

  test("says that this machine can do it", async () => {
    const doctor = await weft("doctor");
    assert.equal(doctor.code, 0, doctor.stdout + doctor.stderr);
  });

  test("suggests what was meant, and answers 2", async () => {
    const command = await weft("statsu");
    assert.equal(command.code, 2);
    assert.match(command.stderr, /status/);
    const flag = await weft("status", "--wiat", "1s");
    assert.equal(flag.code, 2);
    assert.match(flag.stderr, /--wait/);
  });
});
