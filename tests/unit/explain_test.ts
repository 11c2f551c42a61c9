import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { explain, type Explanation, parseDestination } from "../../src/explain/mod.ts";
import { type Place, placeOn } from "../../src/locality/mod.ts";
import {
  emptySnapshot,
  type LoadBalancer,
  type NetworkRange,
  replaceMesh,
  type Service,
  type Workload,
  type WorkloadTraits,
} from "../../src/mesh/mod.ts";
import { service, workload, type WorkloadChange } from "./_mesh.ts";

const web = "shop/web";
const vip = "10.96.0.1";
const waypoint = { destination: "shop/waypoint", hboneMtlsPort: 15008 };

/** A node in region r, zone z. */
const here: Place = { ...placeOn(""), locality: { region: "r", zone: "z", subzone: "" }, node: "n1" };

function near(zone: string, change: WorkloadChange = {}): WorkloadChange {
  return { locality: { region: "r", zone, subzone: "" }, ...change };
}

/** A member of shop/web with an address that ends on a number. */
function member(uid: string, number: number, change: WorkloadChange = {}): Workload {
  return workload(uid, [web], { addresses: [`10.0.0.${number}`], ...change });
}

function balanced(mode: LoadBalancer["mode"], change: Partial<Service> = {}): Partial<Service> {
  const loadBalancer = { mode, routingPreferences: ["Region", "Zone"], healthPolicy: "OnlyHealthy" } as const;
  return { loadBalancer, ...change };
}

function ask(
  to: string,
  workloads: readonly Workload[],
  services: readonly Service[],
  { place = here, protocol = "TCP" as "TCP" | "UDP" } = {},
): Explanation {
  const snapshot = replaceMesh(emptySnapshot(), { workloads, services, policies: [] });
  return explain(parseDestination(to)!, { snapshot, place, protocol, workloads });
}

/** `uid address:port tier share`. */
const chosen = ({ endpoints }: Explanation) =>
  endpoints.map(({ uid, address, port, tier, share }) => `${uid} ${address}:${port} ${tier} ${share}`);

const kept = ({ excluded }: Explanation) => excluded.map(({ uid, reason }) => `${uid}: ${reason}`).sort();

/** Outcome and reason. */
const verdict = ({ outcome, reason }: Explanation) => `${outcome}: ${reason}`;

describe("explain: a service's VIP", () => {
  const mixed = [
    member("a", 1, near("z", { capacity: 2 })),
    member("b", 2, near("z")),
    member("c", 3, near("y", { capacity: 9 })),
    member("d", 4, near("z", { capacity: 0 })),
    member("e", 5, near("z", { status: "Unhealthy" })),
    member("f", 6, near("z", { network: "elsewhere" })),
    member("g", 7, near("z", { addresses: ["fd00::7"] })),
    member("h", 8, near("z", { services: new Map([[web, new Map([[80, 0]])]]) })),
  ];

  it("says everything: who is chosen and how often, who stands by, who is kept out, where the node is", () => {
    assert.deepEqual(ask(`${vip}:80`, mixed, [service(web, [vip], balanced("Failover"))]), {
      outcome: "endpoints",
      reason: "failover: the nearest of 2 tiers",
      service: web,
      mode: "Failover",
      lbPolicy: "RANDOM",
      connectionLimit: null,
      refused: null,
      node: { network: "", region: "r", zone: "z", subzone: "", node: "n1", clusterId: "" },
      endpoints: [
        { uid: "a", address: "10.0.0.1", port: 8080, tier: 0, share: "2/3" },
        { uid: "b", address: "10.0.0.2", port: 8080, tier: 0, share: "1/3" },
      ],
      standby: [{ uid: "c", address: "10.0.0.3", port: 8080, tier: 1 }],
      excluded: [
        { uid: "d", reason: "capacity 0" },
        { uid: "e", reason: "unhealthy" },
        { uid: "f", reason: "other network" },
        { uid: "g", reason: "no address of this family" },
        { uid: "h", reason: "target port 0" },
      ],
    });
  });

  it("lists by uid, whatever order workloads come in", () => {
    const uids = Array.from({ length: 30 }, (_, i) => `w${i}`);
    const zones = ["z", "y"];
    const all = uids.map((uid, i) => member(uid, i, near(zones[i % 2])));
    const { endpoints, standby } = ask(`${vip}:80`, all, [service(web, [vip], balanced("Failover"))]);
    assert.deepEqual(endpoints.map(({ uid }) => uid), uids.filter((_, i) => i % 2 === 0).sort());
    assert.deepEqual(standby.map(({ uid }) => uid), uids.filter((_, i) => i % 2 === 1).sort());
  });

  it("Strict: what is not local is kept out", () => {
    const answer = ask(`${vip}:80`, mixed.slice(0, 3), [service(web, [vip], balanced("Strict"))]);
    assert.deepEqual(chosen(answer), ["a 10.0.0.1:8080 0 2/3", "b 10.0.0.2:8080 0 1/3"]);
    assert.deepEqual(answer.standby, []);
    assert.deepEqual(kept(answer), ["c: not local"]);
  });

  it("Strict without a local endpoint: none, and why", () => {
    const answer = ask(`${vip}:80`, [member("c", 3, near("y"))], [service(web, [vip], balanced("Strict"))]);
    assert.equal(verdict(answer), "none: strict, no local endpoint");
    assert.deepEqual([chosen(answer), answer.standby, kept(answer)], [[], [], ["c: not local"]]);
  });

  it("Standard, and no load balancer: one tier of all", () => {
    for (const change of [balanced("Standard"), {}]) {
      const answer = ask(`${vip}:80`, mixed.slice(0, 3), [service(web, [vip], change)]);
      assert.deepEqual(chosen(answer), [
        "a 10.0.0.1:8080 0 1/6",
        "b 10.0.0.2:8080 0 1/12",
        "c 10.0.0.3:8080 0 3/4",
      ]);
      assert.deepEqual([answer.mode, answer.standby], ["Standard", []]);
    }
  });

  it("shares are exact at the limits", () => {
    const most = 4294967295;
    const both = [member("a", 1, { capacity: most }), member("b", 2, { capacity: most - 1 })];
    assert.deepEqual(chosen(ask(`${vip}:80`, both, [service(web, [vip])])), [
      "a 10.0.0.1:8080 0 4294967295/8589934589",
      "b 10.0.0.2:8080 0 4294967294/8589934589",
    ]);
  });

  describe("a nearest tier that may not be chosen is no empty tier", () => {
    const mapsToNothing = new Map([[web, new Map([[80, 0]])]]);
    const cases: { what: string; first: Workload; reason: string }[] = [
      { what: "capacity 0", first: member("a", 1, near("z", { capacity: 0 })), reason: "capacity 0" },
      {
        what: "an own mapping to 0",
        first: member("a", 1, near("z", { services: mapsToNothing })),
        reason: "target port 0",
      },
    ];
    for (const { what, first, reason } of cases) {
      it(what, () => {
        const answer = ask(`${vip}:80`, [first, member("b", 2, near("y"))], [
          service(web, [vip], balanced("Failover")),
        ]);
        assert.equal(verdict(answer), "none: no endpoint of the nearest tier may be chosen");
        assert.deepEqual(kept(answer), [`a: ${reason}`]);
        assert.deepEqual(answer.standby.map(({ uid, tier }) => [uid, tier]), [["b", 1]]);
      });
    }

    for (
      const [what, change] of [
        ["health", { status: "Unhealthy" }],
        ["another network", { network: "x" }],
        ["no address", { addresses: [] }],
      ] as const
    ) {
      it(`but one that ${what} empties gives way to the next`, () => {
        const answer = ask(`${vip}:80`, [member("a", 1, near("z", change)), member("b", 2, near("y"))], [
          service(web, [vip], balanced("Failover")),
        ]);
        assert.deepEqual(chosen(answer), ["b 10.0.0.2:8080 0 1/1"]);
      });
    }
  });

  it("none without endpoints, and where none may be used", () => {
    const services = [service(web, [vip])];
    assert.equal(verdict(ask(`${vip}:80`, [], services)), "none: the service has no endpoints");
    const unhealthy = [member("a", 1, { status: "Unhealthy" })];
    assert.equal(verdict(ask(`${vip}:80`, unhealthy, services)), "none: no endpoint may be used");
  });

  it("none on a port that is not listed, also where an endpoint maps it", () => {
    const maps81 = member("a", 1, { services: new Map([[web, new Map([[81, 8081]])]]) });
    assert.equal(verdict(ask(`${vip}:81`, [maps81], [service(web, [vip])])), "none: port 81 is not listed");
  });

  it("the target port: the endpoint's own, else the service's", () => {
    const own = member("b", 2, { services: new Map([[web, new Map([[80, 9090]])]]) });
    assert.deepEqual(chosen(ask(`${vip}:80`, [member("a", 1), own], [service(web, [vip])])), [
      "a 10.0.0.1:8080 0 1/2",
      "b 10.0.0.2:9090 0 1/2",
    ]);
  });

  it("by family: an IPv6 VIP leads to IPv6 addresses, a mapped one is the IPv4 one", () => {
    const dual = member("a", 1, { addresses: ["10.0.0.1", "fd00::1"] });
    const services = [service(web, [vip, "fd96::1"])];
    assert.deepEqual(chosen(ask("[fd96::1]:80", [dual], services)), ["a fd00::1:8080 0 1/1"]);
    assert.deepEqual(chosen(ask("[::ffff:10.96.0.1]:80", [dual], services)), ["a 10.0.0.1:8080 0 1/1"]);
    const only4 = ask("[fd96::1]:80", [member("a", 1)], services);
    assert.deepEqual([only4.outcome, kept(only4)], ["none", ["a: no address of this family"]]);
  });

  it("ipFamilies keeps out", () => {
    const answer = ask(`${vip}:80`, [member("a", 1)], [service(web, [vip], { ipFamilies: "IPv6" })]);
    assert.deepEqual([answer.outcome, kept(answer)], ["none", ["a: excluded by ipFamilies"]]);
  });

  for (const port of [80, 81]) {
    it(`passthrough on port ${port}: mode Passthrough, or a waypoint`, () => {
      const all = [member("a", 1)];
      const passthrough = ask(`${vip}:${port}`, all, [service(web, [vip], balanced("Passthrough"))]);
      assert.equal(verdict(passthrough), "passthrough: passthrough");
      assert.deepEqual([passthrough.service, passthrough.endpoints], [web, []]);
      const left = ask(`${vip}:${port}`, all, [service(web, [vip], { needsWaypoint: true })]);
      assert.equal(verdict(left), "passthrough: needs waypoint");
    });
  }

  it("a workload's own waypoint does not change its part in a service", () => {
    const answer = ask(`${vip}:80`, [member("a", 1, { waypoint })], [service(web, [vip])]);
    assert.deepEqual(chosen(answer), ["a 10.0.0.1:8080 0 1/1"]);
    assert.doesNotMatch(answer.reason, /waypoint/);
  });

  it("unknown: a VIP of another network, or of a service that only its namespace sees", () => {
    const north = service(web, [], { vips: [{ network: "north", address: vip }] });
    assert.equal(ask(`${vip}:80`, [], [north]).outcome, "unknown");
    assert.equal(ask(`${vip}:80`, [], [north], { place: placeOn("north") }).outcome, "none");
    const hidden = service(web, [vip], { visibility: "Namespace" });
    assert.equal(ask(`${vip}:80`, [], [hidden]).outcome, "unknown");
  });
});

describe("explain: UDP", () => {
  const udp = { protocol: "UDP" } as const;

  it("goes where TCP goes", () => {
    const answer = ask(`${vip}:80`, [member("a", 1)], [service(web, [vip])], udp);
    assert.deepEqual(chosen(answer), ["a 10.0.0.1:8080 0 1/1"]);
  });

  it("is refused where some endpoint maps the port and none may be used", () => {
    const far = [member("a", 1, near("y"))];
    assert.equal(
      verdict(ask(`${vip}:80`, far, [service(web, [vip], balanced("Strict"))], udp)),
      "none: strict, no local endpoint",
    );
    const idle = [member("a", 1, { capacity: 0 })];
    assert.equal(ask(`${vip}:80`, idle, [service(web, [vip])], udp).outcome, "none");
  });

  it("is left alone on a port that is not listed, or that nobody maps", () => {
    const unlisted = ask(`${vip}:81`, [member("a", 1)], [service(web, [vip])], udp);
    assert.deepEqual([unlisted.outcome, unlisted.service], ["passthrough", web]);
    assert.equal(ask(`${vip}:80`, [], [service(web, [vip])], udp).outcome, "passthrough");
    const toNothing = member("a", 1, { services: new Map([[web, new Map([[80, 0]])]]) });
    assert.equal(ask(`${vip}:80`, [toNothing], [service(web, [vip])], udp).outcome, "passthrough");
  });
});

describe("explain: ranges", () => {
  const range = (address: string, prefixLength: number, network = ""): NetworkRange => ({
    network,
    address,
    prefixLength,
  });
  const owning = (key: string, ranges: NetworkRange[], change: Partial<Service> = {}) =>
    service(key, [], { ranges, ...change });
  const ownerOf = (to: string, ...services: Service[]) => ask(to, [], services).service;

  it("a service without a VIP is balanced by its range", () => {
    const services = [owning(web, [range("10.5.0.0", 16)])];
    assert.deepEqual(chosen(ask("10.5.7.9:80", [member("a", 1)], services)), ["a 10.0.0.1:8080 0 1/1"]);
    assert.equal(verdict(ask("10.5.7.9:81", [member("a", 1)], services)), "none: port 81 is not listed");
    assert.equal(ask("10.6.0.1:80", [member("a", 1)], services).outcome, "unknown");
  });

  it("the edges of a range, in bits", () => {
    const odd = owning(web, [range("10.5.8.0", 21), range("fd00:a:8000::", 33)]);
    for (const to of ["10.5.8.0:1", "10.5.15.255:1", "[fd00:a:8000::]:1", "[fd00:a:ffff:ffff::1]:1"]) {
      assert.equal(ownerOf(to, odd), web, to);
    }
    for (const to of ["10.5.7.255:1", "10.5.16.0:1", "[fd00:a:7fff::]:1", "[fd00:b:8000::]:1"]) {
      assert.equal(ownerOf(to, odd), null, to);
    }
  });

  it("one address, and all of a family", () => {
    assert.equal(ownerOf("10.5.0.1:1", owning(web, [range("10.5.0.1", 32)])), web);
    assert.equal(ownerOf("10.5.0.2:1", owning(web, [range("10.5.0.1", 32)])), null);
    const all4 = owning(web, [range("0.0.0.0", 0)]);
    assert.deepEqual([ownerOf("192.0.2.1:1", all4), ownerOf("[fd00::1]:1", all4)], [web, null]);
    const all6 = owning(web, [range("::", 0)]);
    assert.deepEqual(
      [ownerOf("192.0.2.1:1", all6), ownerOf("[::ffff:192.0.2.1]:1", all6), ownerOf("[fd00::1]:1", all6)],
      [null, null, web],
    );
  });

  it("the longest prefix wins, canonical or not, in whatever order", () => {
    const wide = owning("a/wide", [range("10.5.0.0", 16)], { canonical: true });
    const narrow = owning("b/narrow", [range("10.5.7.0", 24)]);
    for (const services of [[wide, narrow], [narrow, wide]]) {
      assert.equal(ownerOf("10.5.7.9:80", ...services), "b/narrow");
      assert.equal(ownerOf("10.5.8.9:80", ...services), "a/wide");
    }
  });

  it("of several with the same range the first canonical one, else the first", () => {
    const one = (key: string, canonical: boolean) => owning(key, [range("10.5.0.0", 16)], { canonical });
    const to = "10.5.0.1:80";
    assert.equal(ownerOf(to, one("z/1", false), one("a/2", false)), "z/1");
    assert.equal(ownerOf(to, one("z/1", false), one("y/2", true), one("a/3", true)), "y/2");
  });

  it("a VIP comes before any range, a range before a workload's own address", () => {
    const exact = owning("a/exact", [range(vip, 32)], { canonical: true });
    assert.equal(ownerOf(`${vip}:80`, exact, service(web, [vip])), web);
    const inside = workload("w", [], { addresses: ["10.5.0.1"] });
    assert.equal(ask("10.5.0.1:80", [inside], [owning(web, [range("10.5.0.0", 16)])]).service, web);
  });

  it("not on another network, and not of a hidden service", () => {
    assert.equal(ownerOf("10.5.0.1:80", owning(web, [range("10.5.0.0", 16, "north")])), null);
    assert.equal(
      ownerOf("10.5.0.1:80", owning(web, [range("10.5.0.0", 16)], { visibility: "Namespace" })),
      null,
    );
  });

  it("Passthrough and a waypoint are left alone here too, and Strict is strict", () => {
    const ranges = [range("10.5.0.0", 16)];
    const to = "10.5.0.1:80";
    const far = [member("a", 1, near("y"))];
    assert.equal(ask(to, far, [owning(web, ranges, balanced("Passthrough"))]).outcome, "passthrough");
    assert.equal(ask(to, far, [owning(web, ranges, { needsWaypoint: true })]).reason, "needs waypoint");
    assert.equal(ask(to, far, [owning(web, ranges, balanced("Strict"))]).reason, "strict, no local endpoint");
  });
});

describe("explain: a workload's own address", () => {
  const to = "10.0.0.1:1234";

  it("is that workload, the called port, whatever its health, capacity and ports", () => {
    const one = member("a", 1, { status: "Unhealthy", capacity: 0 });
    for (const protocol of ["TCP", "UDP"] as const) {
      const answer = ask(to, [one], [], { protocol });
      assert.deepEqual(chosen(answer), ["a 10.0.0.1:1234 0 1/1"]);
      assert.deepEqual([answer.outcome, answer.service, answer.mode], ["endpoints", null, null]);
    }
  });

  it("each of its addresses, also as IPv4-mapped", () => {
    const one = member("a", 1, { addresses: ["10.0.0.1", "10.0.0.2", "fd00::1"] });
    assert.deepEqual(chosen(ask("10.0.0.2:1", [one], [])), ["a 10.0.0.2:1 0 1/1"]);
    assert.deepEqual(chosen(ask("[fd00::1]:1", [one], [])), ["a fd00::1:1 0 1/1"]);
    assert.deepEqual(chosen(ask("[::ffff:10.0.0.1]:1", [one], [])), ["a 10.0.0.1:1 0 1/1"]);
  });

  it("says so where it needs a waypoint, and stays endpoints", () => {
    assert.equal(verdict(ask(to, [member("a", 1, { waypoint })], [])), "endpoints: needs waypoint");
  });

  it("is unknown on another network, and where it is its node's", () => {
    assert.equal(ask(to, [member("a", 1, { network: "north" })], []).outcome, "unknown");
    assert.equal(ask(to, [member("a", 1, { networkMode: "HostNetwork" })], []).outcome, "unknown");
  });

  describe("of several workloads with one address", () => {
    const cases: {
      why: string;
      workloads: [uid: string, protocol: WorkloadTraits["protocol"]][];
      whose: string;
    }[] = [
      { why: "the last", workloads: [["a", "TCP"], ["b", "TCP"]], whose: "b" },
      { why: "HBONE before TCP", workloads: [["a", "HBONE"], ["b", "TCP"]], whose: "a" },
      {
        why: "a pod before all else",
        workloads: [["c//Pod/n/a", "TCP"], ["b", "HBONE"]],
        whose: "c//Pod/n/a",
      },
      {
        why: "the last of pods that speak HBONE",
        workloads: [["c//Pod/n/a", "HBONE"], ["c//Pod/n/b", "HBONE"], ["c//Pod/n/c", "TCP"]],
        whose: "c//Pod/n/b",
      },
    ];
    for (const { why, workloads, whose } of cases) {
      it(why, () => {
        const all = workloads.map(([uid, protocol]) => member(uid, 1, { protocol }));
        assert.deepEqual(ask(to, all, []).endpoints.map(({ uid }) => uid), [whose]);
      });
    }
  });
});
