import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { parseDuration } from "../../src/cli/duration.ts";

describe("parseDuration", () => {
  const good: Record<string, number> = {
    "0": 0,
    "0s": 0,
    "200ms": 200,
    "15s": 15_000,
    "1.5s": 1500,
    "1m": 60_000,
    "1m30s": 90_000,
    "2h": 7_200_000,
  };
  for (const [text, milliseconds] of Object.entries(good)) {
    it(`reads ${text} as ${milliseconds} ms`, () => assert.equal(parseDuration(text), milliseconds));
  }
  for (const text of ["", "15", "-1s", "1 s", "s", "1d", "1e3s", ".5s", "1s!", "99999999999999999h"]) {
    it(`refuses "${text}"`, () => assert.equal(parseDuration(text), undefined));
  }
});
