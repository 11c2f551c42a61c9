/**
 * Makes the product: dist/weft, one file with the runtime, the code, the shim, the libraries it needs and the BPF objects.
 *
 * The runtime in it (denort) is the file that DENORT_BIN names; else what get-denort.sh of the folder with shared tools
 * leaves (WEFT_SHARED, else ../shared), for machines that can't reach Deno's download host; else what Deno downloads.
 */

import { v8Flags } from "./v8_flags.ts";

const root = new URL("..", import.meta.url).pathname;
const output = `${root}dist/weft`;

/** What the binary carries beside its code; scripts/build.ts makes it. */
const payload = ["libweft.so", "libbpf.so.1", "libelf.so.1", "libz.so.1", "workload.bpf.o", "sockops.bpf.o"]
  .map((name) => `build/${name}`);

function fail(message: string): never {
  console.error(`compile: ${message}`);
  Deno.exit(1);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The runtime to put in, or `undefined` where Deno has to download it. */
async function findDenort(): Promise<string | undefined> {
  const named = Deno.env.get("DENORT_BIN");
  if (named) return exists(named) ? named : fail(`DENORT_BIN names ${named}, which is not there`);
  const script = `${Deno.env.get("WEFT_SHARED") ?? `${root}../shared`}/tools/get-denort.sh`;
  if (!exists(script)) return undefined;
  const { success, stdout } = await new Deno.Command("sh", {
    args: [script, `${root}build/denort`],
    stderr: "inherit",
  }).output();
  if (!success) fail(`${script} could not get denort; its words are above`);
  return new TextDecoder().decode(stdout).trim();
}

const missing = payload.filter((path) => !exists(root + path));
if (missing.length > 0) fail(`${missing.join(", ")} not built; run: deno task build`);

const denort = await findDenort();
const { success, stderr } = await new Deno.Command(Deno.execPath(), {
  // No code cache: the binary would keep it at a predictable place in /tmp, and it runs as root.
  args: [
    ...["compile", "--quiet", "--allow-all", "--no-code-cache", "--frozen", v8Flags],
    ...payload.flatMap((path) => ["--include", path]),
    ...["--output", output, "main.ts"],
  ],
  env: denort === undefined ? {} : { DENORT_BIN: denort },
  cwd: root,
  stdin: "null",
}).output();
if (!success) {
  const words = new TextDecoder().decode(stderr).trimEnd();
  fail(
    denort === undefined
      ? `${words}\n  where Deno's download host is out of reach, set DENORT_BIN to a denort of Deno ${Deno.version.deno}`
      : words,
  );
}
const { size } = Deno.statSync(output);
console.log(`compile: dist/weft, ${(size / 1e6).toFixed(1)} MB`);
