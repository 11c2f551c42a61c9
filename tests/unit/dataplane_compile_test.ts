import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { placeOn } from "../../src/locality/mod.ts";
import { compileService } from "../../src/dataplane/compile.ts";
import type { DesiredService } from "../../src/dataplane/desired.ts";
import {
  editSnapshot,
  emptySnapshot,
  type LoadBalancer,
  type Service,
  type Workload,
} from "../../src/mesh/mod.ts";
import { service, workload, type WorkloadChange } from "./_mesh.ts";

const web = "shop/web";
const node = placeOn("");

/** Compiles shop/web of a mesh of these workloads and services. */
function compile(workloads: Workload[], services: Service[], network = ""): DesiredService {
  const snapshot = editSnapshot(emptySnapshot(), { upsertWorkloads: workloads, upsertServices: services });
  return compileService(snapshot, web, placeOn(network));
}

/** Every service port as `port/family` → its endpoints as `uid address:port×weight`, in order of uid. */
function endpoints(desired: DesiredService): Record<string, string[]> {
  return Object.fromEntries(desired.servicePorts.map(({ port, family, tiers }) => {
    assert.ok(tiers.length <= 1, "one tier at most");
    const all = tiers.flatMap((tier) => tier.endpoints);
    return [`${port}/${family}`, all.map((e) => `${e.uid} ${e.address}:${e.port}×${e.weight}`).sort()];
  }));
}

/** What is excluded, as `uid port/family reason`, in order of uid. */
function exclusions(desired: DesiredService): string[] {
  return desired.excluded.map(({ uid, port, family, reason }) => `${uid} ${port}/${family} ${reason}`).sort();
}

function balanced(change: Partial<LoadBalancer>): Partial<Service> {
  return {
    loadBalancer: { routingPreferences: [], mode: "Standard", healthPolicy: "OnlyHealthy", ...change },
  };
}

/** A member of shop/web with its own port mapping. */
function member(uid: string, ports: [number, number][] = [], change: WorkloadChange = {}): Workload {
  return workload(uid, [], { services: new Map([[web, new Map(ports)]]), ...change });
}

describe("compileService: frontends", () => {
  it("gives each owned VIP one for all ports and two for each listed port", () => {
    const { frontends, left } = compile([], [
      service(web, ["10.96.0.1"], { ports: new Map([[80, 1], [443, 2]]) }),
    ]);
    const address = "10.96.0.1";
    const [http, https] = [80, 443].map((port) => ({ kind: "servicePort", key: `shop/web|${port}|4` }));
    assert.deepEqual(frontends, [
      { address, port: 0, protocol: 0, target: { kind: "unlisted" } },
      { address, port: 80, protocol: 6, target: http },
      { address, port: 80, protocol: 17, target: http },
      { address, port: 443, protocol: 6, target: https },
      { address, port: 443, protocol: 17, target: https },
    ]);
    assert.equal(left, null);
  });

  it("shares the service ports of a family among its VIPs, and has none of a family without a VIP", () => {
    const { frontends, servicePorts } = compile([], [service(web, ["10.96.0.1", "10.96.0.2", "fd96::1"])]);
    assert.deepEqual(servicePorts.map(({ key }) => key), ["shop/web|80|4", "shop/web|80|6"]);
    const targets = frontends.filter(({ protocol }) => protocol === 6).map(({ address, target }) => [
      address,
      target.kind === "servicePort" ? target.key : undefined,
    ]);
    assert.deepEqual(targets, [
      ["10.96.0.1", "shop/web|80|4"],
      ["10.96.0.2", "shop/web|80|4"],
      ["fd96::1", "shop/web|80|6"],
    ]);
    const only6 = compile([], [service(web, ["fd96::1"])]);
    assert.deepEqual(only6.servicePorts.map(({ key }) => key), ["shop/web|80|6"]);
  });

  it("ignores a service port 0", () => {
    const desired = compile([member("w1")], [service(web, ["10.96.0.1"], { ports: new Map([[0, 8080]]) })]);
    assert.deepEqual(desired.servicePorts, []);
    assert.deepEqual(desired.frontends.map(({ target }) => target.kind), ["unlisted"]);
  });

  it("programs only the VIPs of the node's network", () => {
    const vips = [{ network: "", address: "10.96.0.1" }, { network: "north", address: "10.96.0.2" }];
    const services = [service(web, [], { vips })];
    const addresses = (network: string) =>
      compile([], services, network).frontends.map(({ address }) => address);
    assert.deepEqual(new Set(addresses("")), new Set(["10.96.0.1"]));
    assert.deepEqual(new Set(addresses("north")), new Set(["10.96.0.2"]));
    assert.deepEqual(compile([], services, "south").servicePorts, []);
  });

  it("names a VIP that the service lists twice once", () => {
    assert.equal(compile([], [service(web, ["10.96.0.1", "10.96.0.1"])]).frontends.length, 3);
  });

  it("leaves a contested VIP to its owner", () => {
    const vips = ["10.96.0.1"];
    const canonical = service("edge/web", vips, { canonical: true });
    const loser = compile([member("w1")], [service(web, [...vips, "10.96.0.2"]), canonical]);
    assert.deepEqual([...new Set(loser.frontends.map(({ address }) => address))], ["10.96.0.2"]);
    assert.equal(compile([], [service(web, vips), service("z/web", vips)]).frontends.length, 3);
  });

  it("gives a service that only its namespace sees nothing", () => {
    const desired = compile([member("w1")], [service(web, ["10.96.0.1"], { visibility: "Namespace" })]);
    assert.deepEqual(desired, { service: web, servicePorts: [], frontends: [], excluded: [], left: null });
  });

  it("is empty for a service that is not in the snapshot", () => {
    const empty = { service: web, servicePorts: [], frontends: [], excluded: [], left: null };
    assert.deepEqual(compileService(emptySnapshot(), web, node), empty);
  });
});

describe("compileService: services that are not balanced", () => {
  const leave = { kind: "leave" };
  const cases: { what: string; change: Partial<Service>; left: DesiredService["left"] }[] = [
    { what: "mode Passthrough", change: balanced({ mode: "Passthrough" }), left: "passthrough" },
    { what: "a waypoint", change: { needsWaypoint: true }, left: "needs waypoint" },
    {
      what: "both",
      change: { needsWaypoint: true, ...balanced({ mode: "Passthrough" }) },
      left: "needs waypoint",
    },
  ];
  for (const { what, change, left } of cases) {
    it(`leaves every port of every VIP alone: ${what}`, () => {
      assert.deepEqual(compile([member("w1")], [service(web, ["10.96.0.1", "fd96::1"], change)]), {
        service: web,
        servicePorts: [],
        frontends: [
          { address: "10.96.0.1", port: 0, protocol: 0, target: leave },
          { address: "fd96::1", port: 0, protocol: 0, target: leave },
        ],
        excluded: [],
        left,
      });
    });
  }
});

describe("compileService: endpoints", () => {
  const cases: {
    why: string;
    workloads: Workload[];
    change?: Partial<Service>;
    vips?: string[];
    expected: Record<string, string[]>;
    excluded?: string[];
    /** The service ports for which nothing is mapped. */
    unmapped?: string[];
  }[] = [
    {
      why: "the service's target port, else the workload's own; capacity is the weight",
      workloads: [member("a"), member("b", [[80, 9090]], { addresses: ["10.0.0.2"], capacity: 5 })],
      expected: { "80/4": ["a 10.0.0.1:8080×1", "b 10.0.0.2:9090×5"] },
    },
    {
      why: "an own mapping to 0 does not fall back, a mapping of another port does",
      workloads: [member("a", [[80, 0]]), member("b", [[81, 9090]])],
      expected: { "80/4": ["b 10.0.0.1:8080×1"] },
      excluded: ["a 80/4 target port 0"],
    },
    {
      why: "a service target of 0 leaves those with their own mapping",
      workloads: [member("a"), member("b", [[80, 9090]])],
      change: { ports: new Map([[80, 0]]) },
      expected: { "80/4": ["b 10.0.0.1:9090×1"] },
      excluded: ["a 80/4 target port 0"],
    },
    {
      why: "a port that no workload maps",
      workloads: [member("a"), member("b", [[80, 9090], [81, 0]])],
      change: { ports: new Map([[80, 8080], [81, 0]]) },
      expected: { "80/4": ["a 10.0.0.1:8080×1", "b 10.0.0.1:9090×1"], "81/4": [] },
      excluded: ["a 81/4 target port 0", "b 81/4 target port 0"],
      unmapped: ["81/4"],
    },
    {
      why: "a mapping of a port that the service does not list means nothing",
      workloads: [member("a", [[9999, 9090]])],
      expected: { "80/4": ["a 10.0.0.1:8080×1"] },
    },
    { why: "a service without workloads", workloads: [], expected: { "80/4": [] }, unmapped: ["80/4"] },
    {
      why: "weight 0 is present",
      workloads: [member("a", [], { capacity: 0 })],
      expected: { "80/4": ["a 10.0.0.1:8080×0"] },
    },
    {
      why: "only healthy workloads; an unhealthy one maps the port all the same",
      workloads: [member("a", [], { status: "Unhealthy" })],
      expected: { "80/4": [] },
      excluded: ["a 80/4 unhealthy"],
    },
    {
      why: "OnlyHealthy says so",
      workloads: [member("a", [], { status: "Unhealthy" }), member("b")],
      change: balanced({}),
      expected: { "80/4": ["b 10.0.0.1:8080×1"] },
      excluded: ["a 80/4 unhealthy"],
    },
    ...(["Standard", "Strict", "Failover"] as const).map((mode) => ({
      why: `AllowAll does not look at health, in mode ${mode}; its endpoints are one tier`,
      workloads: [member("a", [], { status: "Unhealthy" }), member("b")],
      change: balanced({ mode, healthPolicy: "AllowAll", routingPreferences: ["Node"] }),
      expected: { "80/4": ["a 10.0.0.1:8080×1", "b 10.0.0.1:8080×1"] },
    })),
    {
      why: "a workload of another network",
      workloads: [member("a", [], { network: "north" }), member("b")],
      expected: { "80/4": ["b 10.0.0.1:8080×1"] },
      excluded: ["a 80/4 other network"],
    },
    {
      why: "the first address of the VIP's family",
      workloads: [member("a", [], { addresses: ["fd00::1", "10.0.0.1", "10.0.0.2", "fd00::2"] })],
      vips: ["10.96.0.1", "fd96::1"],
      expected: { "80/4": ["a 10.0.0.1:8080×1"], "80/6": ["a fd00::1:8080×1"] },
    },
    {
      why: "no address of the family, or none at all",
      workloads: [member("a", [], { addresses: ["fd00::1"] }), member("b", [], { addresses: [] })],
      vips: ["10.96.0.1", "fd96::1"],
      expected: { "80/4": [], "80/6": ["a fd00::1:8080×1"] },
      excluded: [
        "a 80/4 no address of this family",
        "b 80/4 no address of this family",
        "b 80/6 no address of this family",
      ],
    },
    {
      why: "ipFamilies excludes a family",
      workloads: [member("a", [], { addresses: ["10.0.0.1", "fd00::1"] }), member("b")],
      change: { ipFamilies: "IPv4" },
      vips: ["10.96.0.1", "fd96::1"],
      expected: { "80/4": ["a 10.0.0.1:8080×1", "b 10.0.0.1:8080×1"], "80/6": [] },
      excluded: ["a 80/6 excluded by ipFamilies", "b 80/6 no address of this family"],
    },
    {
      why: "ipFamilies Dual excludes none",
      workloads: [member("a", [], { addresses: ["10.0.0.1", "fd00::1"] })],
      change: { ipFamilies: "Dual" },
      vips: ["10.96.0.1", "fd96::1"],
      expected: { "80/4": ["a 10.0.0.1:8080×1"], "80/6": ["a fd00::1:8080×1"] },
    },
    {
      why: "the first reason that holds is told, on every port",
      workloads: [
        member("a", [[80, 0]], { status: "Unhealthy", network: "north", addresses: [] }),
        member("b", [[80, 0]], { network: "north", addresses: [] }),
        member("c", [[80, 0]], { addresses: [] }),
        member("d", [[80, 0]], { addresses: ["fd00::1"] }),
      ],
      change: { ipFamilies: "IPv4", ports: new Map([[80, 8080], [81, 8081]]) },
      vips: ["fd96::1"],
      expected: { "80/6": [], "81/6": [] },
      excluded: [
        "a 80/6 unhealthy",
        "a 81/6 unhealthy",
        "b 80/6 other network",
        "b 81/6 other network",
        "c 80/6 no address of this family",
        "c 81/6 no address of this family",
        "d 80/6 excluded by ipFamilies",
        "d 81/6 excluded by ipFamilies",
      ],
      unmapped: ["80/6"],
    },
  ];
  for (
    const { why, workloads, change, vips = ["10.96.0.1"], expected, excluded = [], unmapped = [] } of cases
  ) {
    it(why, () => {
      const desired = compile(workloads, [service(web, vips, change)]);
      assert.deepEqual(endpoints(desired), expected);
      assert.deepEqual(exclusions(desired), excluded);
      const mapped = desired.servicePorts.filter((port) => port.mapped).map(({ port, family }) =>
        `${port}/${family}`
      );
      assert.deepEqual(mapped, Object.keys(expected).filter((port) => !unmapped.includes(port)));
      for (const { tiers } of desired.servicePorts) {
        assert.ok(tiers.every((tier) => tier.endpoints.length > 0), "no tier without endpoints");
      }
    });
  }
});

describe("compileService: endpoints written in the service", () => {
  const written = (workloadUid: string, port: number) => ({ workloadUid, ports: new Map([[80, port]]) });
  const cases: { why: string; workloads: Workload[]; change?: Partial<Service>; expected: string[] }[] = [
    { why: "an unknown workload is ignored", workloads: [], expected: [] },
    {
      why: "its health is not looked at",
      workloads: [workload("a", [], { status: "Unhealthy" })],
      expected: ["a 10.0.0.1:9001×1"],
    },
    {
      why: "a healthy member's own mapping replaces the written one",
      workloads: [member("a", [[80, 8081]])],
      expected: ["a 10.0.0.1:8081×1"],
    },
    {
      why: "a healthy member without a mapping replaces it as well",
      workloads: [member("a")],
      expected: ["a 10.0.0.1:8080×1"],
    },
    {
      why: "an unhealthy member's does not",
      workloads: [member("a", [[80, 8081]], { status: "Unhealthy" })],
      expected: ["a 10.0.0.1:9001×1"],
    },
    {
      why: "but does where health is not asked for",
      workloads: [member("a", [[80, 8081]], { status: "Unhealthy" })],
      change: balanced({ healthPolicy: "AllowAll" }),
      expected: ["a 10.0.0.1:8081×1"],
    },
  ];
  for (const { why, workloads, change, expected } of cases) {
    it(why, () => {
      const desired = compile(workloads, [
        service(web, ["10.96.0.1"], { ...change, endpoints: [written("a", 9001)] }),
      ]);
      assert.deepEqual(endpoints(desired), { "80/4": expected });
      assert.deepEqual(desired.excluded, []);
      assert.equal(desired.servicePorts[0].mapped > 0, expected.length > 0);
    });
  }

  it("excludes it for everything but health", () => {
    const workloads = [
      workload("a", [], { network: "north" }),
      workload("b", [], { addresses: [] }),
      workload("c", []),
    ];
    const endpointsOfService = [written("a", 9001), written("b", 9001), written("c", 0)];
    const desired = compile(workloads, [service(web, ["10.96.0.1"], { endpoints: endpointsOfService })]);
    assert.deepEqual(exclusions(desired), [
      "a 80/4 other network",
      "b 80/4 no address of this family",
      "c 80/4 target port 0",
    ]);
    assert.deepEqual(endpoints(desired), { "80/4": [] });
    assert.ok(desired.servicePorts[0].mapped > 0);
  });
});
