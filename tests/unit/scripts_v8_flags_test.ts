import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { v8Flags } from "../../scripts/v8_flags.ts";

describe("weft from source", () => {
  it("runs with the flags that the product has", () => {
    assert.ok(config.tasks.weft.command.split(" ").includes(v8Flags), config.tasks.weft.command);
  });
});
