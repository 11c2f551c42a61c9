import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import type { CallCount } from "../../src/demo/call.ts";
import { judge, unanswered } from "../../src/demo/judge.ts";
import { meshState } from "../../src/demo/mesh.ts";
import { type Counts, createTally } from "../../src/demo/tally.ts";

const kinds = [["TCP", 4], ["TCP", 6], ["UDP", 4], ["UDP", 6]] as const;

/** The same calls of each kind: by backend, or by error where the name begins with `!`. */
function calls(
  counts: Readonly<Record<string, number>>,
  of: typeof kinds[number][] = [...kinds],
): CallCount[] {
  return of.flatMap(([protocol, family]) =>
    Object.entries(counts).map(([name, count]): CallCount => ({
      protocol,
      family,
      backend: name.startsWith("!") ? null : name,
      error: name.startsWith("!") ? name.slice(1) : null,
      count,
    }))
  );
}

function counts(...batches: CallCount[][]): Counts {
  const tally = createTally();
  for (const batch of batches) tally.add(batch);
  return tally.since();
}

const even = { "web-a1": 50, "web-a2": 45, "web-b1": 55, "web-b2": 50 };
const allUnhealthy = meshState(
  Object.fromEntries(Object.keys(even).map((name) => [name, { healthy: false }])),
);

describe("demo: judge", () => {
  it("takes what is by chance a little uneven", () => {
    assert.equal(judge(counts(calls(even)), meshState({})), undefined);
  });

  it("finds a share that is no chance, by kind of traffic", () => {
    const uneven = calls({ "web-a1": 100, "web-a2": 20, "web-b1": 40, "web-b2": 40 }, [["UDP", 6]]);
    const rest = calls(even, [["TCP", 4], ["TCP", 6], ["UDP", 4]]);
    assert.equal(
      judge(counts(rest, uneven), meshState({})),
      "web-a1 got 50.0% of UDP over IPv6, the mesh file says 25.0%",
    );
  });

  it("finds one call to a backend that may get none", () => {
    const seen = counts(calls({ "web-a1": 60, "web-a2": 60, "web-b1": 60, "web-b2": 1 }));
    assert.match(
      String(judge(seen, meshState({ "web-b2": { healthy: false } }))),
      /^web-b2 got 0\.6% of TCP/,
    );
    assert.match(String(judge(seen, meshState({ "web-b2": undefined }))), /the mesh file says 0\.0%$/);
  });

  it("finds a backend that gets nothing", () => {
    const seen = counts(calls({ "web-a1": 60, "web-a2": 60, "web-b1": 60 }));
    assert.match(String(judge(seen, meshState({}))), /of TCP over IPv4, the mesh file says 25\.0%$/);
  });

  it("finds one failed call", () => {
    const seen = counts(calls({ ...even, "!no answer within 1000 ms": 1 }));
    assert.equal(judge(seen, meshState({})), "1 calls by TCP over IPv4 failed: no answer within 1000 ms");
  });

  it("wants all calls refused where no backend may be used, and refused in the right way", () => {
    assert.equal(judge(counts(calls({ "!EHOSTUNREACH": 40 })), allUnhealthy), undefined);
    assert.match(
      String(judge(counts(calls({ "!EHOSTUNREACH": 40, "web-a1": 1 })), allUnhealthy)),
      /none may be$/,
    );
    assert.match(
      String(judge(counts(calls({ "!ECONNREFUSED": 40 })), allUnhealthy)),
      /failed: ECONNREFUSED$/,
    );
    assert.match(
      String(judge(counts(calls({ "!EHOSTUNREACH": 40 })), meshState({}))),
      /failed: EHOSTUNREACH$/,
    );
  });

  it("does not judge by too little", () => {
    assert.equal(judge([], meshState({})), "only 0 calls by TCP over IPv4");
    const three = calls(even, [["TCP", 4], ["TCP", 6], ["UDP", 4]]);
    assert.equal(judge(counts(three), meshState({})), "only 0 calls by UDP over IPv6");
    assert.equal(judge(counts(calls({ "web-a1": 19 })), meshState({})), "only 19 calls by TCP over IPv4");
  });

  it("tells refusals that the mesh asks for from failures", () => {
    const seen = counts(calls({ ...even, "!EHOSTUNREACH": 2, "!no answer within 1000 ms": 1 }));
    assert.deepEqual(unanswered(seen, true), {
      refused: new Map([["EHOSTUNREACH", 8]]),
      failed: new Map([["no answer within 1000 ms", 4]]),
    });
    assert.deepEqual(unanswered(seen, false), {
      refused: new Map(),
      failed: new Map([["EHOSTUNREACH", 8], ["no answer within 1000 ms", 4]]),
    });
  });
});

describe("demo: tally", () => {
  it("gives the calls since a time", () => {
    const tally = createTally();
    tally.add(calls({ "web-a1": 1 }, [["TCP", 4]]), 10);
    tally.add(calls({ "web-a1": 2, "!EPERM": 1 }, [["TCP", 4]]), 20);
    tally.add(calls({ "web-a2": 4 }, [["TCP", 4]]), 30);
    assert.deepEqual(tally.since(10), [{
      kind: "TCP over IPv4",
      answered: new Map([["web-a1", 2], ["web-a2", 4]]),
      unanswered: new Map([["EPERM", 1]]),
    }]);
    assert.deepEqual(tally.since(30), []);
    assert.deepEqual(tally.since()[0].answered, new Map([["web-a1", 3], ["web-a2", 4]]));
  });
});
