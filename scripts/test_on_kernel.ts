/**
 * Runs the kernel tests on another kernel, in a virtual machine that needs no KVM:
 *
 *     deno run -A scripts/test_on_kernel.ts KERNEL [--filter TEXT]
 *
 * KERNEL is what `kernel-vm.sh` takes: 6.1, 6.12, … That script is looked for in `tools/` of WEFT_SHARED, else of `../shared`
 * beside the checkout. weft is built here before; the guest gets this host's files, and what it writes is gone afterwards. Its
 * processor is emulated: the tests wait 20 times as long, and do less where they repeat themselves (WEFT_TEST_SLOW sets another
 * factor). The last line is that of `scripts/test.ts`, the exit code too; 124 or 125: the machine was stopped, or did not start.
 */

import { parseArgs } from "@std/cli/parse-args";
import { buildPeer } from "../tests/kit/build_peer.ts";
import { buildSlowReader } from "../tests/kit/build_slow_reader.ts";

const root = new URL("..", import.meta.url).pathname;

/** The whole suite takes some hours. In seconds. */
const timeout = 8 * 3600;

/** Deno's tests, an agent, and the servers' and clients' buffers. In MB. */
const memory = 4000;

function usage(problem: string): never {
  console.error(`test_on_kernel: ${problem}\nusage: test_on_kernel.ts KERNEL [--filter TEXT]`);
  Deno.exit(2);
}

const parsed = parseArgs(Deno.args, {
  string: ["_", "filter"],
  unknown: (arg, key) => key === undefined || usage(`unknown flag ${arg}`),
});
const [kernel, ...rest] = parsed._.map(String);
if (kernel === undefined) usage("which kernel?");
if (rest.length > 0) usage(`one kernel at a time, and a group of tests with --filter: ${rest.join(" ")}`);

const shared = Deno.env.get("WEFT_SHARED") ?? new URL("../../shared", import.meta.url).pathname;
const script = `${shared}/tools/kernel-vm.sh`;
try {
  Deno.statSync(script);
} catch {
  usage(`there is no ${script}; set WEFT_SHARED to the directory that has tools/kernel-vm.sh`);
}

await buildPeer();
await buildSlowReader();
const { code } = await new Deno.Command("bash", {
  args: [
    ...[script, kernel, "--mem", `${memory}`, "--timeout", `${timeout}`],
    // The guest's /tmp and /run are its own.
    ...(/^\/(tmp|run)\//.test(root) ? ["--rw", root] : []),
    ...["--", Deno.execPath(), "run", "-A", "--cached-only", "scripts/test.ts", "kernel", "--no-check"],
    ...(parsed.filter === undefined ? [] : ["--filter", `${parsed.filter}`]),
  ],
  cwd: root,
  env: { WEFT_TEST_SLOW: Deno.env.get("WEFT_TEST_SLOW") ?? "20" },
  stdin: "null",
  stdout: "inherit",
  stderr: "inherit",
}).spawn().status;
Deno.exit(code);
