import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { load } from "js-yaml";
import { type OutputFormat, printOutput } from "../../src/cli/output.ts";
import { standardOutput } from "../../src/cli/text_output.ts";
import { memoryOutput } from "./_cli.ts";

const value = { name: "web", packets: 3n, huge: 2n ** 60n, addresses: ["::1", "10.0.0.1"], none: null };

async function print(format: OutputFormat): Promise<string> {
  const stdout = memoryOutput();
  await printOutput({ stdout }, format, value, () => "a table\n");
  return stdout.text();
}

describe("printOutput", () => {
  const read = { ...value, packets: 3, huge: "1152921504606846976" };
  it("prints JSON", async () => assert.deepEqual(JSON.parse(await print("json")), read));
  it("prints the same as YAML", async () => assert.deepEqual(load(await print("yaml")), read));
  it("prints a table", async () => assert.equal(await print("table"), "a table\n"));
});

describe("standardOutput", () => {
  it("writes on after a short write", () => {
    const chunks: number[] = [];
    const output = standardOutput({
      isTerminal: () => false,
      writeSync(bytes) {
        const taken = bytes.subarray(0, 3);
        chunks.push(...taken);
        return taken.length;
      },
    }, () => undefined);
    output.write("größer");
    assert.equal(new TextDecoder().decode(new Uint8Array(chunks)), "größer");
    assert.equal(output.isTerminal, false);
    assert.equal(output.style("red", "x"), "x");
  });
});
