import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createBackoff, formatTarget, parseTarget } from "../../src/xds/mod.ts";

describe("xds target", () => {
  it("is a host with or without a port, or a path", () => {
    for (
      const [text, canonical, family, loopback] of [
        ["istiod.istio-system.svc", "istiod.istio-system.svc:15012", 0, false],
        ["istiod:15010", "istiod:15010", 0, false],
        ["localhost", "localhost:15012", 0, true],
        ["localhost.evil.test", "localhost.evil.test:15012", 0, false],
        ["127.0.0.1:1", "127.0.0.1:1", 4, true],
        ["127.9.9.9", "127.9.9.9:15012", 4, true],
        ["10.0.0.1:65535", "10.0.0.1:65535", 4, false],
        ["::1", "[::1]:15012", 6, true],
        ["[::1]:80", "[::1]:80", 6, true],
        ["[fd00::1]", "[fd00::1]:15012", 6, false],
        ["fd00::1", "[fd00::1]:15012", 6, false],
        ["::2", "[::2]:15012", 6, false],
      ] as const
    ) {
      const target = parseTarget(text, 15012);
      assert.ok(target?.kind === "tcp", text);
      assert.deepEqual([formatTarget(target), target.family, target.loopback], [canonical, family, loopback]);
    }
    for (const text of ["unix:/run/x.sock", "unix:///run/x.sock"]) {
      assert.deepEqual(parseTarget(text, 1), { kind: "unix", path: "/run/x.sock" });
    }
    assert.deepEqual(parseTarget("unix:x.sock", 1), { kind: "unix", path: "x.sock" });
  });

  it("is nothing else", () => {
    for (
      const text of [
        ...[
          "",
          ":80",
          "host:",
          "host:0",
          "host:65536",
          "host:http",
          "10.0.0.256",
          "1.2.3",
          "a b",
          "[10.0.0.1]:80",
        ],
        ...["[::1", "::1]:80", "[host]:80", "unix:", "http://host", "host/path", "-x", "a..b:c"],
      ]
    ) assert.equal(parseTarget(text, 15012), undefined, text);
  });
});

describe("xds backoff", () => {
  it("doubles from 10 ms to 15 s, in the upper half of each range, until it is reset", () => {
    for (const [random, share] of [[0, 0.5], [0.999_999, 1]] as const) {
      const backoff = createBackoff({ random: () => random });
      const waits = Array.from({ length: 13 }, () => Math.round(backoff.next() / share));
      assert.deepEqual(waits, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 15000, 15000]);
      backoff.reset();
      assert.equal(Math.round(backoff.next() / share), 10);
    }
  });
});
