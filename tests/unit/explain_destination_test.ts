import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { parseDestination } from "../../src/explain/mod.ts";

describe("parseDestination", () => {
  const good: Record<string, { address: string; port: number }> = {
    "10.96.0.1:80": { address: "10.96.0.1", port: 80 },
    "10.96.0.1:1": { address: "10.96.0.1", port: 1 },
    "10.96.0.1:65535": { address: "10.96.0.1", port: 65535 },
    "[fd00::1]:80": { address: "fd00::1", port: 80 },
    "[FD00:0:0::0001]:80": { address: "fd00::1", port: 80 },
    "[::]:80": { address: "::", port: 80 },
    "[::ffff:10.96.0.1]:80": { address: "10.96.0.1", port: 80 },
    "[::ffff:a60:1]:80": { address: "10.96.0.1", port: 80 },
  };
  for (const [text, expected] of Object.entries(good)) {
    it(`reads ${text}`, () => assert.deepEqual(parseDestination(text), expected));
  }

  const bad = [
    ...[
      "",
      ":",
      ":80",
      "80",
      "10.96.0.1",
      "10.96.0.1:",
      "10.96.0.1:0",
      "10.96.0.1:65536",
      "10.96.0.1:100000",
    ],
    ...["10.96.0.1:-1", "10.96.0.1:+80", "10.96.0.1:8e1", "10.96.0.1:http", "10.96.0.1:80 ", " 10.96.0.1:80"],
    ...["10.96.0.01:80", "10.96.0:80", "10.96.0.256:80", "web.shop:80", "10.96.0.1/32:80", "0x0a600001:80"],
    ...["fd00::1:80", "[fd00::1]", "[fd00::1]80", "[fd00::1:80", "fd00::1]:80", "[fd00::1%eth0]:80", "[]:80"],
    ...["[10.96.0.1]:80", "[[fd00::1]]:80", "[fd00::g]:80", "[fd00::1]:80:80", "10.96.0.1:80\n"],
  ];
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDestination(text), undefined));
  }
});
