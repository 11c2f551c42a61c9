import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { run } from "../../src/host/mod.ts";
import { haveCommands } from "./_c_program.ts";

const root = new URL("../..", import.meta.url).pathname;
const sources = ["scripts/codegen.ts", "scripts/btf.ts", "bpf", "ffi/generated/workload.ts"];
/** Where asm/types.h lies on Debian. */
const triplet = `${Deno.build.arch}-linux-gnu`;

/** In bpf/types.h. */
const wordOfFrontend = "__u32 service_port; /* index into `services` */\n\t__u32 tag;";
const otherWordOfFrontend = "__u32 tag;\n\t__u32 service_port;";

describe(
  "codegen",
  { ignore: !haveCommands("the code generator is not run", ["clang-19", "bpftool"]) },
  () => {
    /** A copy of what it reads and writes. */
    let copy: string;
    beforeEach(async () => {
      copy = await Deno.makeTempDir({ prefix: "weft-codegen-" });
      for (const directory of ["scripts", "ffi/generated", "build"]) {
        await Deno.mkdir(`${copy}/${directory}`, { recursive: true });
      }
      for (const source of sources) await run(["cp", "-r", `${root}${source}`, `${copy}/${source}`]);
    });
    afterEach(() => Deno.remove(copy, { recursive: true }));

    const generated = () => `${copy}/ffi/generated/workload.ts`;

    async function change(file: string, from: string, to: string): Promise<void> {
      const text = await Deno.readTextFile(`${copy}/${file}`);
      assert.equal(text.split(from).length, 2, `${file} says "${from}" once`);
      await Deno.writeTextFile(`${copy}/${file}`, text.replace(from, to));
    }

    async function compile(): Promise<void> {
      await run([
        "clang-19",
        ..."-O2 -g -target bpf -mcpu=v3 -std=gnu11".split(" "),
        `-I/usr/include/${triplet}`,
        ...["-c", `${copy}/bpf/workload.bpf.c`, "-o", `${copy}/build/workload.bpf.o`],
      ]);
    }

    async function codegen(...args: string[]): Promise<{ code: number; said: string }> {
      const command = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-config", `${copy}/scripts/codegen.ts`, ...args],
        stdin: "null",
      });
      const { code, stderr } = await command.output();
      return { code, said: new TextDecoder().decode(stderr) };
    }

    async function assertStale(): Promise<void> {
      const before = await Deno.readTextFile(generated()).catch(() => undefined);
      const { code, said } = await codegen("--check");
      assert.equal(code, 1);
      assert.match(said, /^ffi\/generated\/workload\.ts is stale: run `deno task build`/);
      assert.equal(
        await Deno.readTextFile(generated()).catch(() => undefined),
        before,
        "a check writes nothing",
      );
    }

    it("--check is content with the file of this commit", async () => {
      await compile();
      assert.deepEqual(await codegen("--check"), { code: 0, said: "" });
    });

    it("--check fails where a field has moved, until the file is generated anew", async () => {
      await change("bpf/types.h", wordOfFrontend, otherWordOfFrontend);
      await compile();
      await assertStale();
      assert.equal((await codegen()).code, 0);
      assert.match(await Deno.readTextFile(generated()), /view\.setUint32\(at \+ 4, .*value\.servicePort/);
      assert.equal((await codegen("--check")).code, 0);
    });

    it("--check fails where somebody has edited the file, or it is not there", async () => {
      await compile();
      await change("ffi/generated/workload.ts", "export const counter =", "export const counters =");
      await assertStale();
      await Deno.remove(generated());
      await assertStale();
    });

    const vip = "struct address vip; /* what the application asked for */";
    const backend = "struct address backend; /* what it got */";
    for (
      const { maps, other, from, to } of [
        { maps: "schema", other: "socketSchema", from: wordOfFrontend, to: otherWordOfFrontend },
        { maps: "socketSchema", other: "schema", from: `${vip}\n\t${backend}`, to: `${backend}\n\t${vip}` },
      ]
    ) {
      it(`gives changed layouts another ${maps}, and leaves the ${other} as it is`, async () => {
        const schemas = async () => {
          const text = await Deno.readTextFile(generated());
          return Object.fromEntries(
            text.matchAll(/export const (\w+) = "(\w+)"/g).map(([, name, hash]) => [name, hash]),
          );
        };
        const before = await schemas();
        await change("bpf/types.h", from, to);
        await compile();
        assert.equal((await codegen()).code, 0);
        const after = await schemas();
        assert.notEqual(after[maps], before[maps]);
        assert.equal(after[other], before[other]);
      });
    }

    it("refuses a struct with padding that has no name, and writes nothing", async () => {
      const before = await Deno.readTextFile(generated());
      await change("bpf/types.h", "\t__u8 zero;\n", "");
      await compile();
      const { code, said } = await codegen();
      assert.equal(code, 1);
      assert.match(said, /struct frontend_key: 20 bytes with only 19 named; name the padding/);
      assert.equal(await Deno.readTextFile(generated()), before);
    });
  },
);
