import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { suggest } from "../../src/cli/suggest.ts";

const commands = [
  "run",
  "detach",
  "status",
  "services",
  "workloads",
  "endpoints",
  "doctor",
  "demo",
  "version",
  "help",
];

describe("suggest", () => {
  const meant: Record<string, string> = {
    stauts: "status",
    servcies: "services",
    service: "services",
    dettach: "detach",
    RUN: "run",
    rn: "run",
    endp: "endpoints",
    doc: "doctor",
  };
  for (const [word, command] of Object.entries(meant)) {
    it(`takes ${word} for ${command}`, async () => assert.equal(await suggest(word, commands), command));
  }
  for (const word of ["frobnicate", "x", "", "abc"]) {
    it(`takes "${word}" for nothing`, async () => assert.equal(await suggest(word, commands), undefined));
  }
  it("has nothing to offer among nothing", async () => assert.equal(await suggest("run", []), undefined));
});
