import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { compileService } from "../../src/dataplane/compile.ts";
import { compileEdit } from "../../src/dataplane/compile_edit.ts";
import { asideKey, type DesiredService } from "../../src/dataplane/desired.ts";
import { explain } from "../../src/explain/mod.ts";
import { placeOn } from "../../src/locality/mod.ts";
import {
  type AssignedPort,
  type AssignedTiers,
  editSnapshot,
  emptySnapshot,
  type Service,
  type Snapshot,
} from "../../src/mesh/mod.ts";
import { service } from "./_mesh.ts";

const web = "shop/web";
const place = placeOn("");

const tiers: AssignedTiers = [
  [{ address: "10.0.0.1", port: 8080, weight: 3 }, { address: "fd00::1", port: 8081, weight: 1 }],
  [{ address: "10.0.0.2", port: 8080, weight: 1 }],
  [{ address: "10.0.0.3", port: 8080, weight: 1 }, { address: "fd00::3", port: 8080, weight: 5 }],
];

const assignedPort: AssignedPort = {
  tiers,
  choice: { kind: "maglev", tableSize: 65_537 },
  connectionLimit: { cluster: "outbound|80||web", max: 7 },
};

function assigned(vips: readonly string[], change: Partial<Service> = {}): Service {
  return service(web, vips, {
    ports: new Map([[80, 0]]),
    assigned: new Map([[80, assignedPort]]),
    ...change,
  });
}

function meshOf(...services: Service[]): Snapshot {
  return editSnapshot(emptySnapshot(), { upsertServices: services });
}

/** The tiers of each service port, as `uid×weight`. */
function tiersOf({ servicePorts }: DesiredService): Record<string, string[][]> {
  return Object.fromEntries(
    servicePorts.map(({ key, tiers }) => [
      key,
      tiers.map(({ endpoints }) => endpoints.map(({ uid, weight }) => `${uid}×${weight}`)),
    ]),
  );
}

describe("compileService: assigned endpoints", () => {
  it("keeps the source's tiers, for each family those that have an endpoint of it", () => {
    const desired = compileService(meshOf(assigned(["10.96.0.1", "fd96::1"])), web, place);
    assert.deepEqual(tiersOf(desired), {
      "shop/web|80|4": [["10.0.0.1:8080×3"], ["10.0.0.2:8080×1"], ["10.0.0.3:8080×1"]],
      "shop/web|80|6": [["[fd00::1]:8081×1"], ["[fd00::3]:8080×5"]],
    });
    for (const { tiers } of desired.servicePorts) {
      const ranks = tiers.map(({ rank }) => rank);
      assert.deepEqual(ranks, ranks.toSorted((a, b) => b - a), "nearest first");
    }
  });

  it("gives a VIP a frontend for TCP on each port, and none for other ports or UDP", () => {
    const { frontends } = compileService(meshOf(assigned(["10.96.0.1"])), web, place);
    const target = { kind: "servicePort", key: "shop/web|80|4" };
    assert.deepEqual(frontends, [{ address: "10.96.0.1", port: 80, protocol: 6, target }]);
  });

  it("leaves a range's other ports alone", () => {
    const ranges = [{ network: "", address: "10.96.0.0", prefixLength: 24 }];
    const { frontends } = compileService(meshOf(assigned([], { ranges })), web, place);
    const target = { kind: "servicePort", key: "shop/web|80|4" };
    assert.deepEqual(frontends, [
      { address: "10.96.0.0/24", port: 0, protocol: 0, target: { kind: "leave" } },
      { address: "10.96.0.0/24", port: 80, protocol: 6, target },
    ]);
  });

  it("hands on how they are chosen and how many connections they may have", () => {
    const { servicePorts } = compileService(meshOf(assigned(["10.96.0.1", "fd96::1"])), web, place);
    assert.equal(servicePorts.length, 2);
    for (const { choice, connectionLimit } of servicePorts) {
      assert.equal(choice, assignedPort.choice);
      assert.equal(connectionLimit, assignedPort.connectionLimit);
    }
  });

  it("leaves out who is set aside, and is compiled whole for it", () => {
    const snapshot = meshOf(assigned(["10.96.0.1"]));
    const key = asideKey("shop/web|80|4", "10.0.0.1:8080|10.0.0.1|8080");
    const aside = new Map([[key, "10.0.0.1:8080"]]);
    const desired = compileService(snapshot, web, place, { aside });
    assert.deepEqual(tiersOf(desired)["shop/web|80|4"], [["10.0.0.2:8080×1"], ["10.0.0.3:8080×1"]]);
    assert.deepEqual(desired.excluded, [{ uid: "10.0.0.1:8080", port: 80, family: 4, reason: "set aside" }]);
    const input = { snapshot, place, aside: new Map() };
    assert.equal(compileEdit(input, { ...input, aside: new Map([[web, aside]]) }, web), undefined);
  });
});

describe("explain: assigned endpoints", () => {
  const range = { network: "", address: "10.96.0.0", prefixLength: 16 };
  const snapshot = meshOf(
    assigned(["10.96.0.1"]),
    service("shop/range", [], {
      ranges: [range],
      ports: new Map([[90, 0]]),
      assigned: new Map([[90, { ...assignedPort, tiers: [[{ address: "10.0.0.9", port: 9, weight: 1 }]] }]]),
    }),
  );
  const ask = (port: number, protocol: "TCP" | "UDP" = "TCP") =>
    explain({ address: "10.96.0.1", port }, { snapshot, place, protocol, workloads: [] });

  it("are those of the first tier, the others behind", () => {
    const { outcome, reason, mode, endpoints, standby } = ask(80);
    assert.deepEqual({ outcome, reason, mode }, {
      outcome: "endpoints",
      reason: "the nearest of 3 tiers",
      mode: "Assigned",
    });
    assert.deepEqual(endpoints.map(({ uid, share }) => [uid, share]), [["10.0.0.1:8080", "1/1"]]);
    assert.deepEqual(standby.map(({ uid, tier }) => [uid, tier]), [["10.0.0.2:8080", 1], [
      "10.0.0.3:8080",
      2,
    ]]);
  });

  it("are not for UDP", () => {
    assert.equal(ask(80, "UDP").outcome, "passthrough");
  });

  it("leave a port that is not listed to a range, as the kernel does", () => {
    assert.deepEqual(ask(90).endpoints.map(({ uid }) => uid), ["10.0.0.9:9"]);
    const { outcome, reason } = ask(91);
    assert.deepEqual({ outcome, reason }, {
      outcome: "passthrough",
      reason: "port 91 is not listed: left alone",
    });
  });
});
