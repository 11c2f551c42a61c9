import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { byPlace } from "../../src/cli/endpoints.ts";

/** port, family, tier, workload, endpoint */
type Row = readonly [number, "IPv4" | "IPv6", number | null, string, string];

const endpointOf = ([port, family, tier, uid, endpoint]: Row) => ({
  ...{ port, family, tier, uid, endpoint },
  ...{ weight: 1, health: "Healthy" as const, share: 0, connections: 0, state: "serving", setAside: null },
});

describe("the rows of weft endpoints", () => {
  it("are in one order, whatever order the kernel has them in: by place, then who they are, last who is kept out", () => {
    const rows: Row[] = [
      [80, "IPv4", 0, "a", "10.0.0.1:8080"],
      [80, "IPv4", 0, "a", "10.0.0.2:8080"],
      [80, "IPv4", 0, "b", "10.0.0.0:8080"],
      [80, "IPv4", 2, "A", "10.0.0.3:8080"],
      [80, "IPv4", 10, "0", "10.0.0.4:8080"],
      [80, "IPv6", 0, "0", "[fd00::1]:8080"],
      [443, "IPv4", 0, "0", "10.0.0.1:8443"],
      [80, "IPv4", null, "0", ""],
      [80, "IPv6", null, "0", ""],
      [443, "IPv4", null, "0", ""],
    ];
    const expected = rows.map(endpointOf);
    assert.deepEqual(expected.toReversed().sort(byPlace), expected);
    assert.deepEqual(expected.toSorted(byPlace), expected);
  });
});
