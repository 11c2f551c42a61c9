/**
 * Builds what is not TypeScript into build/: the BPF objects, the shim, the libraries that the shim needs, and the codecs
 * generated from the objects' BTF. Does nothing where nothing changed.
 */

const root = new URL("..", import.meta.url).pathname;
const build = `${root}build`;

/** Runs a tool; its output is shown only if it fails. */
function run(command: string, args: string[]): string {
  const tool = new Deno.Command(command, { args, cwd: root });
  let output: Deno.CommandOutput;
  try {
    output = tool.outputSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    fail(`${command} is not installed; run: deno task setup`);
  }
  const text = new TextDecoder();
  if (!output.success) {
    fail(`${command} ${args.join(" ")}\n${text.decode(output.stdout)}${text.decode(output.stderr)}`);
  }
  return text.decode(output.stdout);
}

function fail(message: string): never {
  console.error(`build: ${message}`);
  Deno.exit(1);
}

function sources(directory: string, pattern: RegExp): string[] {
  return [...Deno.readDirSync(root + directory)].filter((entry) => pattern.test(entry.name))
    .map((entry) => `${directory}/${entry.name}`).sort();
}

/** A hash of everything that the build reads of ours. */
async function fingerprint(files: readonly string[]): Promise<string> {
  const parts = files.map((file) => `${file}\n${Deno.readTextFileSync(root + file)}`);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(parts.join("\0")));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The architecture's own include directory, where asm/types.h lies on Debian. */
const triplet = { x86_64: "x86_64-linux-gnu", aarch64: "aarch64-linux-gnu" }[Deno.build.arch as string] ??
  fail(`no build for ${Deno.build.arch}`);

function buildObject(name: string): void {
  const object = `${build}/${name}.bpf.o`;
  run("clang-19", [
    ..."-O2 -g -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Werror".split(" "),
    `-I/usr/include/${triplet}`,
    ...["-c", `bpf/${name}.bpf.c`, "-o", object],
  ]);
  // BTF stays; DWARF is four fifths of the file.
  run("llvm-strip-19", ["-g", object]);
}

function buildShim(): void {
  run("gcc", [
    ..."-O2 -g1 -std=gnu11 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden -Wl,-z,now,-z,relro".split(
      " ",
    ),
    ...["-o", `${build}/libweft.so`],
    ...sources("libshim", /\.c$/),
    ...["-lbpf", "-lpthread"],
  ]);
  // The libraries that travel with the shim, as the linker resolves them.
  for (const library of ["libbpf.so.1", "libelf.so.1", "libz.so.1"]) {
    Deno.copyFileSync(run("gcc", [`-print-file-name=${library}`]).trim(), `${build}/${library}`);
  }
}

const inputs = [
  ...sources("bpf", /\.[ch]$/),
  ...sources("libshim", /\.[ch]$/),
  ...sources("scripts", /^(build|btf|codegen)\.ts$/),
];
const stamp = `${build}/.fingerprint`;
const now = await fingerprint(inputs);
if (await Deno.readTextFile(stamp).catch(() => "") !== now) {
  await Deno.mkdir(build, { recursive: true });
  console.error("build: BPF objects and shim");
  for (const source of sources("bpf", /\.bpf\.c$/)) buildObject(source.replace(/^bpf\/|\.bpf\.c$/g, ""));
  buildShim();
  const codegen = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "scripts/codegen.ts"], cwd: root });
  const { success, stdout, stderr } = codegen.outputSync();
  Deno.stderr.writeSync(stdout);
  if (!success) fail(new TextDecoder().decode(stderr));
  await Deno.writeTextFile(stamp, now);
}
