/** `explain` of a service whose endpoints the source assigned: policy, limit of connections, what was refused. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { explain, parseDestination } from "../../src/explain/mod.ts";
import { placeOn } from "../../src/locality/mod.ts";
import { type AssignedPort, emptySnapshot, replaceMesh } from "../../src/mesh/mod.ts";
import { explainResponse } from "../../src/observe/api.ts";
import { service } from "./_mesh.ts";

const vip = "10.96.0.1";
const assigned: AssignedPort = {
  tiers: [[{ address: "10.0.0.1", port: 8080, weight: 1 }]],
  choice: { kind: "ringHash", minimumSize: 1024, maximumSize: 8_388_608 },
  connectionLimit: { cluster: "web", max: 100 },
};

interface Asked {
  readonly port?: Partial<AssignedPort>;
  readonly to?: string;
  readonly protocol?: "TCP" | "UDP";
  /** Connections under the limit; `undefined`: nobody counts. */
  readonly active?: number;
}

function ask({ port, to = `${vip}:80`, protocol = "TCP", active }: Asked = {}) {
  const web = service("shop/web", [vip], { assigned: new Map([[80, { ...assigned, ...port }]]) });
  const snapshot = replaceMesh(emptySnapshot(), { workloads: [], services: [web], policies: [] });
  const counts = active === undefined ? undefined : {
    active: (cluster: string) => cluster === "web" ? active : NaN,
    refused: ({ key }: { readonly key: string }) => key === "shop/web|80|4" ? 7 : NaN,
  };
  const place = placeOn("");
  return explainResponse.parse(
    explain(parseDestination(to)!, { snapshot, place, protocol, counts, workloads: [] }),
  );
}

const endpoint = { uid: "10.0.0.1:8080", address: "10.0.0.1", port: 8080, tier: 0, share: "1/1" };

describe("explain: assigned endpoints", () => {
  it("says the policy, how many connections there are of how many, and how many were refused", () => {
    const { outcome, lbPolicy, connectionLimit, refused, endpoints } = ask({ active: 99 });
    assert.deepEqual({ outcome, lbPolicy, connectionLimit, refused, endpoints }, {
      outcome: "endpoints",
      lbPolicy: "RING_HASH",
      connectionLimit: { cluster: "web", max: 100, active: 99 },
      refused: 7,
      endpoints: [endpoint],
    });
  });

  for (const active of [100, 101]) {
    it(`${active} of 100: a connect is refused, and why, and who serves once there is a place`, () => {
      const { outcome, reason, endpoints } = ask({ active });
      assert.deepEqual({ outcome, reason, endpoints }, {
        outcome: "none",
        reason: "max_connections 100 of cluster web reached: connect fails with ECONNREFUSED",
        endpoints: [endpoint],
      });
    });
  }

  it("0 of 0 is a limit that is reached", () => {
    const port = { connectionLimit: { cluster: "web", max: 0 } };
    assert.equal(ask({ port, active: 0 }).outcome, "none");
  });

  it("nobody to go to is another reason, whatever the limit says: connect fails with another errno", () => {
    assert.equal(ask({ port: { tiers: [] }, active: 100 }).reason, "the service has no endpoints");
  });

  it("without a limit, and without anybody who counts", () => {
    assert.equal(ask({ port: { connectionLimit: null }, active: 100 }).connectionLimit, null);
    const { connectionLimit, refused } = ask();
    assert.deepEqual([connectionLimit, refused], [{ cluster: "web", max: 100, active: 0 }, null]);
  });

  for (
    const [what, asked] of [["UDP", { protocol: "UDP" }], ["another port", { to: `${vip}:81` }]] as const
  ) {
    it(`${what} is left alone: neither has a say`, () => {
      const { outcome, lbPolicy, connectionLimit, refused } = ask({ ...asked, active: 100 });
      assert.deepEqual({ outcome, lbPolicy, connectionLimit, refused }, {
        outcome: "passthrough",
        lbPolicy: null,
        connectionLimit: null,
        refused: null,
      });
    });
  }
});
