/** `weft doctor` on this kernel, beside agents and programs of others, without privileges, and when it is cut short. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "@std/testing/bdd";
import { z } from "zod";
import { bpffsPath, type Cgroup, cgroup2Mount, createCgroup, ownedName, run } from "../../src/host/mod.ts";
import {
  createTestNet,
  describeKernel,
  removeLeftovers,
  runWeft,
  startAgent,
  testPrefix,
  weftCommand,
} from "../kit/mod.ts";

/** The shape that `weft doctor --help` promises. */
const reportSchema = z.strictObject({
  ok: z.boolean(),
  kernel: z.string(),
  checks: z.array(z.strictObject({
    id: z.string().regex(/^(host|kernel|programs|connections|others)\.[a-z0-9_]+$/),
    section: z.string(),
    title: z.string(),
    status: z.enum(["ok", "warning", "failed", "skipped"]),
    detail: z.string().min(1),
    remedy: z.string().nullable(),
    durationMs: z.number().nonnegative(),
  })),
  features: z.record(
    z.string(),
    z.strictObject({
      available: z.boolean().nullable(),
      since: z.string().nullable(),
      without: z.string(),
    }),
  ),
  foreignPrograms: z.array(z.strictObject({
    id: z.number().int(),
    name: z.string(),
    hook: z.string(),
    cgroup: z.string(),
  })).nullable(),
});

type Report = z.infer<typeof reportSchema>;
type Check = Report["checks"][number];

/** Runs it to its end. */
async function doctor(...args: string[]): Promise<{ readonly code: number; readonly report: Report }> {
  const { code, stdout, stderr } = await runWeft(["doctor", "-o", "json", ...args]);
  assert.equal(stderr, "");
  return { code, report: reportSchema.parse(JSON.parse(stdout)) };
}

function find(report: Report, id: string): Check {
  const found = report.checks.find((check) => check.id === id);
  assert.ok(found, `no check ${id}`);
  return found;
}

/** Of the checks, those that a kernel before 6.8 may warn of; the last two depend on the host. */
const mayWarn = [
  "kernel.publish_batch",
  "kernel.publish_wait",
  "programs.set_retval",
  "host.open_files",
  "others.foreign",
];

/** Starts it, and waits for a line that has this text. @returns the process and what it said so far */
async function doctorUntil(text: string): Promise<{ child: Deno.ChildProcess; said: string }> {
  const [program, ...args] = weftCommand(["doctor"]);
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes(text)) {
    const { value, done } = await reader.read();
    assert.ok(!done, `it ended before it said "${text}": ${said}`);
    said += value;
  }
  // Whatever comes is read, so that it never waits for us.
  (async () => {
    while (!(await reader.read()).done);
  })();
  return { child, said };
}

/** The cgroup that it made, from what it said. */
function cgroupOf(said: string): string {
  const path = /\S+\/weft-doctor-\S+(?=, removed at the end)/.exec(said)?.[0];
  assert.ok(path, said);
  return path;
}

/** A program of somebody else's on connect4, which lets all pass. Disposing of it takes it off. */
async function attachForeign(cgroup: Cgroup): Promise<AsyncDisposable> {
  const name = ownedName(testPrefix, "foreign");
  const directory = `/tmp/${name}`;
  const pin = `${bpffsPath}/${name}`;
  Deno.mkdirSync(directory);
  Deno.writeTextFileSync(
    `${directory}/foreign.c`,
    `__attribute__((section("cgroup/connect4"), used)) int of_others(void *ctx) { return 1; }
     char granted[] __attribute__((section("license"), used)) = "GPL";`,
  );
  const object = `${directory}/foreign.o`;
  await run(["clang-19", ..."-O2 -g -target bpf -c".split(" "), `${directory}/foreign.c`, "-o", object]);
  await run(["bpftool", "prog", "load", object, pin]);
  await run(["bpftool", "cgroup", "attach", cgroup.path, "connect4", "pinned", pin, "multi"]);
  return {
    [Symbol.asyncDispose]: async () => {
      await run(["bpftool", "cgroup", "detach", cgroup.path, "connect4", "pinned", pin]);
      Deno.removeSync(pin);
      Deno.removeSync(directory, { recursive: true });
    },
  };
}

describeKernel("weft doctor", () => {
  it("finds that weft does its main job here, each check passing by itself", async () => {
    const { code, report } = await doctor();
    const bad = report.checks.filter(({ id, status }) =>
      !(status === "ok" || (status === "warning" && mayWarn.includes(id)))
    );
    assert.deepEqual(bad, []);
    assert.equal(report.ok, true);
    assert.equal(code, 0);
    assert.equal(report.kernel, (await run(["uname", "-r"])).trim());
    assert.equal(new Set(report.checks.map(({ id }) => id)).size, report.checks.length, "an id twice");
    for (const check of report.checks) {
      assert.equal(
        check.remedy === null,
        check.status === "ok",
        `${check.id}: a remedy belongs to a warning`,
      );
    }
    for (const [name, { available }] of Object.entries(report.features)) {
      assert.notEqual(available, null, `${name} is not known although everything was tried`);
    }
  });

  it("covers every hook, family and protocol", async () => {
    const { report } = await doctor();
    const ids = new Set(report.checks.map(({ id }) => id));
    const hooks = ["connect", "sendmsg", "recvmsg", "getpeername"].flatMap((
      hook,
    ) => [`${hook}4`, `${hook}6`]);
    const ways = ["tcp", "udp", "sendto", "getpeername"].flatMap((way) =>
      ["ipv4", "ipv6", "mapped"].map((route) => `connections.${way}_${route}`)
    );
    const wanted = [...[...hooks, "sock_release"].map((hook) => `programs.${hook}`), ...ways];
    assert.deepEqual(wanted.filter((id) => !ids.has(id)), []);
  });

  it("leaves nothing behind", async () => {
    const pins = () => [...Deno.readDirSync(bpffsPath)].map(({ name }) => name);
    const { report } = await doctor();
    const cgroup = cgroupOf(find(report, "programs.cgroup").detail);
    assert.ok(!existsSync(cgroup), `${cgroup} is still there`);
    assert.deepEqual(pins().filter((name) => name.includes("doctor")), []);
  });

  it("says as a table what it says as JSON", async () => {
    const { code, stdout } = await runWeft(["doctor"]);
    assert.equal(code, 0);
    for (const section of ["Host", "Kernel", "Programs", "Connections", "Other programs"]) {
      assert.match(stdout, new RegExp(`^${section}$`, "m"));
    }
    assert.match(stdout, /^ {2}ok {7}TCP connect, IPv4 {23}reached the endpoint$/m);
    assert.match(stdout, /^FEATURE +HERE +SINCE +WITHOUT IT$/m);
    assert.match(stdout, /^weft works on this host \(Linux [^)]+\): \d+ checks(, \d+ warnings?)?$/m);
  });

  it("removes what a killed one left, at its next run", async () => {
    const { child, said } = await doctorUntil("hook connect4");
    child.kill("SIGKILL");
    await child.status;
    const cgroup = cgroupOf(said);
    assert.ok(existsSync(cgroup), "it was killed too late to leave anything");
    // The links died with it: nothing runs there any more.
    assert.equal((await run(["bpftool", "cgroup", "show", cgroup])).trim(), "");
    assert.equal((await doctor()).code, 0);
    assert.ok(!existsSync(cgroup), `${cgroup} is still there`);
  });

  it("cleans up when it is interrupted", async () => {
    const { child, said } = await doctorUntil("a mesh of two services");
    child.kill("SIGINT");
    const { code } = await child.status;
    assert.equal(code, 130);
    assert.ok(!existsSync(cgroupOf(said)));
  });

  it("still tries what it can without root's capabilities, and fails with one clear line", async () => {
    const [program, ...args] = weftCommand(["doctor", "-o", "json"]);
    const { code, stdout } = await new Deno.Command("setpriv", {
      args: ["--bounding-set", "-all", "--inh-caps", "-all", program, ...args],
      stdin: "null",
    }).output();
    const report = reportSchema.parse(JSON.parse(new TextDecoder().decode(stdout)));
    assert.equal(code, 1);
    assert.equal(report.ok, false);
    const failed = report.checks.filter(({ status }) => status === "failed");
    assert.deepEqual(failed.map(({ id }) => id), ["host.privileges"]);
    assert.match(failed[0].detail, /CAP_SYS_ADMIN and CAP_NET_ADMIN/);
    assert.ok(failed[0].remedy);
    for (const id of ["host.cgroup2", "kernel.shim", "kernel.grace_period"]) {
      assert.equal(find(report, id).status, "ok", id);
    }
    const skipped = find(report, "connections.tcp_ipv4");
    assert.equal(skipped.status, "skipped");
    assert.equal(skipped.detail, "because of: root's capabilities");
    assert.equal(report.features.setRetval.available, null);
    assert.equal(report.foreignPrograms, null);
  });

  it("works beside an agent, whose programs are not foreign", async () => {
    await using net = await createTestNet();
    await using agent = await startAgent(net, {
      services: { web: { vips: ["10.96.0.1"], ports: { 80: 8080 }, members: { a: {} } } },
    });
    const { code, report } = await doctor("--cgroup", net.cgroup.path, "--pin-root", agent.pinRoot);
    assert.equal(code, 0);
    assert.equal(find(report, "others.weft").detail, `attached to ${net.cgroup.path}`);
    assert.ok(!report.foreignPrograms?.some(({ name }) => name.startsWith("weft_")));
    assert.equal(find(report, "host.bpffs").detail, agent.pinRoot);
    assert.equal((await agent.status()).ready, true);
  });

  it("names the programs of others and where they are", async () => {
    await removeLeftovers();
    await using above = createCgroup(cgroup2Mount(), ownedName(testPrefix, "doctor"));
    await using below = createCgroup(above.path, "below");
    await using _foreign = await attachForeign(above);
    const { code, report } = await doctor("--cgroup", below.path);
    assert.equal(code, 0, "others running too is no failure");
    assert.equal(find(report, "others.foreign").status, "warning");
    const found = report.foreignPrograms?.filter(({ name }) => name === "of_others") ?? [];
    assert.deepEqual(found.map(({ hook, cgroup }) => ({ hook, cgroup })), [{
      hook: "connect4",
      cgroup: above.path,
    }]);
  });

  describe("with something wrong", () => {
    const wrong = async (id: string, detail: RegExp, ...args: string[]) => {
      const { code, report } = await doctor(...args);
      assert.equal(code, 1);
      const check = find(report, id);
      assert.equal(check.status, "failed");
      assert.match(check.detail, detail);
      assert.ok(check.remedy);
      // It hides nothing else.
      assert.equal(find(report, "connections.tcp_ipv4").status, "ok");
    };

    it("says so of a cgroup that is not there", () =>
      wrong("host.cgroup", /^\/no\/such: /, "--cgroup", "/no/such"));

    it("says so of a cgroup on another file system", () =>
      wrong("host.cgroup", /^\/proc is on a file system of type proc/, "--cgroup", "/proc"));

    it("says so of a pin root on another file system", () =>
      wrong("host.bpffs", /pins can live on type bpf only/, "--pin-root", "/proc/weft"));

    it("warns of a low limit of open files, and works", async () => {
      const [program, ...args] = weftCommand(["doctor", "-o", "json"]);
      const { code, stdout } = await new Deno.Command("prlimit", {
        args: ["--nofile=300:300", program, ...args],
        stdin: "null",
      }).output();
      const report = reportSchema.parse(JSON.parse(new TextDecoder().decode(stdout)));
      assert.equal(find(report, "host.open_files").status, "warning");
      assert.match(find(report, "host.open_files").detail, /^300: /);
      assert.equal(code, 0);
    });
  });
});
