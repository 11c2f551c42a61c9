import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { limitSentence, limitWords, policyWords, wordsByPort } from "../../src/cli/port_words.ts";
import type { PortView } from "../../src/observe/api.ts";

const port = (port: number, change: Partial<PortView> = {}): PortView => ({
  port,
  lbPolicy: "RANDOM",
  connectionLimit: null,
  ...change,
});
const limit = (active: number, max: number) => ({ connectionLimit: { cluster: "web", active, max } });

describe("words for the ports of a service", () => {
  it("are there only where something is not as usual", () => {
    assert.equal(policyWords(port(80)), "");
    assert.equal(policyWords({ lbPolicy: null }), "");
    assert.equal(policyWords(port(80, { lbPolicy: "MAGLEV" })), "MAGLEV");
    assert.deepEqual([limitWords(port(80)), limitSentence(port(80))], ["", ""]);
    assert.equal(limitWords(port(80, limit(3, 100))), "3 of 100");
    assert.equal(limitSentence(port(80, limit(3, 100))), "3 of 100 connections to cluster web");
  });

  it("name the port where ports differ", () => {
    const both = [port(80, limit(3, 100)), port(81, limit(3, 100))];
    assert.equal(wordsByPort(both, limitWords), "3 of 100");
    assert.equal(wordsByPort([...both, port(82)], limitWords), "80: 3 of 100, 81: 3 of 100");
    assert.equal(wordsByPort([port(80), port(81, limit(0, 5))], limitWords), "81: 0 of 5");
    assert.equal(wordsByPort([], limitWords), "");
  });
});
