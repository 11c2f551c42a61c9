import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { explainResponse } from "../../src/observe/api.ts";
import {
  assertSpread,
  at,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  type HammerKind,
  rate,
  repetitions,
  serviceName,
  type Services,
  startAgent,
  type TestAgent,
  type TestMember,
  useWorld,
} from "../kit/mod.ts";

/** A workload in a zone of the node's region. */
function inZone(zone: string, change: TestMember = {}): TestMember {
  return { ...change, more: { locality: { region: "r", zone, subzone: "" }, ...change.more } };
}

const near = inZone("near");
const far = inZone("far");

function balancer(mode: "Strict" | "Failover", change: Record<string, unknown> = {}) {
  return {
    loadBalancer: { mode, routingPreferences: ["Region", "Zone"], healthPolicy: "OnlyHealthy", ...change },
  };
}

const vip4 = "10.96.0.1";
const vip6 = "fd96::1";
const failover4 = at(vip4, 80);
const failover6 = at(vip6, 80);

/** One Failover service with these members. */
function web(members: Readonly<Record<string, TestMember>>): Services {
  return { web: { vips: [vip4, vip6], members, more: balancer("Failover") } };
}

const atHome = ["--region", "r", "--zone", "near", "--subzone", "", "--node", "n1"];

/** What `weft explain` says to a running agent. */
async function explain(agent: TestAgent, ...args: string[]) {
  const { code, stdout, stderr } = await agent.weft("explain", ...args, "-o", "json");
  assert.deepEqual([code, stderr], [0, ""]);
  return explainResponse.parse(JSON.parse(stdout));
}

/** Server → its share, of an answer about one service: the uids end on the servers' names. */
function sharesOf({ endpoints }: Awaited<ReturnType<typeof explain>>): Record<string, number> {
  return Object.fromEntries(endpoints.map(({ uid, share }) => {
    const [part, whole] = share.split("/").map(Number);
    return [uid.replace(/.*\//, ""), part / whole];
  }));
}

const { loadBalancer: allowAll } = balancer("Failover", { healthPolicy: "AllowAll" });

describeKernel("Failover", () => {
  const world = useWorld({ services: web({ a: near, b: near, c: far, d: far }), args: atHome });

  const unhealthy = { status: "Unhealthy" } as const;
  const steps: { what: string; services: Services; chosen: string[] }[] = [
    { what: "the near zone", services: web({ a: near, b: near, c: far, d: far }), chosen: ["a", "b"] },
    {
      what: "what is left of the near zone",
      services: web({ a: inZone("near", unhealthy), b: near, c: far, d: far }),
      chosen: ["b"],
    },
    {
      what: "the far zone where all of the near one are unhealthy",
      services: web({ a: inZone("near", unhealthy), b: inZone("near", unhealthy), c: far, d: far }),
      chosen: ["c", "d"],
    },
    {
      what: "the near zone again when one is back",
      services: web({ a: near, c: far, d: far }),
      chosen: ["a"],
    },
    {
      what: "the far zone where the near one has none",
      services: web({ c: far, d: far }),
      chosen: ["c", "d"],
    },
    {
      what: "the far zone where those near by are on another network",
      services: web({ a: inZone("near", { more: { network: "x" } }), c: far, d: far }),
      chosen: ["c", "d"],
    },
    {
      what: "one that moved into the near zone",
      services: web({ c: near, d: far }),
      chosen: ["c"],
    },
    {
      what: "another region last of all",
      services: web({ a: { more: { locality: { region: "x", zone: "near", subzone: "" } } } }),
      chosen: ["a"],
    },
    {
      what: "the zone before another region",
      services: web({ a: { more: { locality: { region: "x", zone: "near", subzone: "" } } }, b: far }),
      chosen: ["b"],
    },
    {
      what: "the near zone, healthy or not, where health is not asked for",
      services: {
        web: {
          vips: [vip4, vip6],
          members: { a: inZone("near", unhealthy), c: far },
          more: { loadBalancer: allowAll },
        },
      },
      chosen: ["a"],
    },
  ];
  for (const { what, services, chosen } of steps) {
    it(`chooses ${what}`, async () => {
      const { net, agent } = world();
      await agent.reload(services);
      const ways: [HammerKind, string][] = [
        ["tcp4", failover4],
        ["tcp6", failover6],
        ["udp4", failover4],
        ["send6", failover6],
      ];
      for (const [kind, target] of ways) {
        const { servers } = flawless(await net.hammer({ kind, targets: [target], count: 100 }));
        assert.deepEqual(Object.keys(servers).toSorted(), chosen);
      }
      assert.deepEqual(Object.keys(sharesOf(await explain(agent, failover4))).toSorted(), chosen);
    });
  }

  it("a tier whose endpoints all have capacity 0 refuses: it is not empty", async () => {
    const { net, agent } = world();
    await agent.reload(web({ a: inZone("near", { capacity: 0 }), c: far }));
    await using sockets = await net.sockets();
    for (const [kind, target] of [["tcp4", failover4], ["tcp6", failover6], ["udp4", failover4]] as const) {
      await assert.rejects((await sockets.open(kind)).connect(target), { code: "EHOSTUNREACH" });
    }
    const { outcome, excluded, standby } = await explain(agent, failover4);
    assert.deepEqual(
      { outcome, excluded, standby: standby.map(({ uid }) => uid) },
      { outcome: "none", excluded: [{ uid: "web/a", reason: "capacity 0" }], standby: ["web/c"] },
    );
  });

  it("weft endpoints shows the tiers, and who stands by", async () => {
    const { agent } = world();
    await agent.reload(web({ a: near, c: far, d: inZone("near", unhealthy) }));
    const { stdout } = await agent.weft("endpoints", serviceName("web"), "-o", "json");
    const { endpoints }: { endpoints: { uid: string; family: string; tier: number; state: string }[] } = JSON
      .parse(stdout);
    assert.deepEqual(
      endpoints.filter(({ family }) => family === "IPv4").map(({ uid, tier, state }) => [uid, tier, state])
        .toSorted(),
      [["web/a", 0, "serving"], ["web/c", 1, "standby"], ["web/d", null, "kept out: unhealthy"]],
    );
  });
});

describeKernel("endpoints that move between tiers under traffic", () => {
  const perSecond = rate(1000);
  const unhealthy = inZone("near", { status: "Unhealthy" });
  /** Somebody is always there; what is nearest empties and fills in every way. */
  const states: Services[] = [
    web({ a: near, b: near, c: far, d: far }),
    web({ a: unhealthy, b: unhealthy, c: far, d: far }),
    web({ a: near, b: near, c: far, d: far }),
    web({ c: far, d: far }),
    web({ a: far, b: far, c: near, d: near }),
    web({ a: near, b: far, c: near, d: far }),
    web({ a: far, b: near, c: far, d: near }),
    web({ a: inZone("near", { capacity: 3 }), b: near, c: far }),
    web({ b: far, c: far, d: inZone("near", { capacity: 7 }) }),
    web({ d: far }),
  ];
  const world = useWorld({ services: states[0], args: atHome });

  it(`60 moves, ${perSecond} connections a second: none fails`, async () => {
    const { net, agent } = world();
    await using stream = await net.startHammer({ kind: "tcp4", targets: [failover4], perSecond });
    await using datagrams = await net.startHammer({
      kind: "send6",
      targets: [failover6],
      perSecond: rate(200),
      reuse: true,
    });
    for (let i = 1; i <= 60; i++) await agent.reload(states[i % states.length]);
    const tcp = flawless(await stream.stop());
    assert.ok(tcp.attempts >= 0.8 * perSecond * tcp.elapsedMs / 1000, `only ${tcp.attempts} connections`);
    assert.deepEqual(Object.keys(tcp.servers).toSorted(), ["a", "b", "c", "d"]);
    assert.deepEqual(Object.keys(tcp.peers), [failover4]);
    flawless(await datagrams.stop());
    assert.equal((await agent.status()).flushes, 61);
  });
});

describeKernel("Strict", () => {
  /** Server a listens on these itself, on port 8080. */
  const vips = ["10.96.0.9", "fd96::9"];
  const strict = (members: Readonly<Record<string, TestMember>>): Services => ({
    strict: { vips, ports: { 8080: 8080 }, members, more: balancer("Strict") },
    range: {
      vips: [],
      members,
      more: { ...balancer("Strict"), cidrVips: [{ network: "", cidr: "10.98.0.0/16" }] },
    },
  });
  const world = useWorld({ extraAddresses: vips, services: strict({ b: near, c: far }), args: atHome });

  async function viewOf(agent: TestAgent, name = "strict"): Promise<{ note: string; refused: number }> {
    const { stdout } = await agent.weft("services", "-o", "json");
    const views: { service: string; note: string; refused: number }[] = JSON.parse(stdout);
    return views.find(({ service }) => service === serviceName(name))!;
  }

  it("chooses full matches alone", async () => {
    const { net, agent } = world();
    await agent.reload(strict({ b: near, c: far }));
    for (const kind of ["tcp4", "udp4", "send4"] as const) {
      const { servers } = flawless(await net.hammer({ kind, targets: [at(vips[0], 8080)], count: 100 }));
      assert.deepEqual(servers, { b: 100 });
    }
    assert.equal((await viewOf(agent)).note, "");
    const { excluded } = await explain(agent, at(vips[0], 8080));
    assert.deepEqual(excluded, [{ uid: "strict/c", reason: "not local" }]);
  });

  for (const [family, vip] of [["4", vips[0]], ["6", vips[1]]] as const) {
    it(`refuses without a local endpoint, and lets nothing through to who listens on the VIP, IPv${family}`, async () => {
      const { net, agent } = world();
      await agent.reload(strict({ c: far }));
      const before = await viewOf(agent);
      await using sockets = await net.sockets();
      const target = at(vip, 8080);
      for (let i = 0; i < 10; i++) {
        const socket = await sockets.open(`tcp${family}`);
        await assert.rejects(socket.connect(target), { code: "EHOSTUNREACH" });
      }
      const [connected, unconnected] = [
        await sockets.open(`udp${family}`),
        await sockets.open(`udp${family}`),
      ];
      await assert.rejects(connected.connect(target), { code: "EHOSTUNREACH" });
      await assert.rejects(unconnected.sendTo("hello", target), { code: "EHOSTUNREACH" });
      const after = await viewOf(agent);
      assert.equal(after.refused - before.refused, 12);
      assert.equal(after.note, "refused: strict, no local endpoint");
      const { outcome, reason } = await explain(agent, target);
      assert.deepEqual([outcome, reason], ["none", "strict, no local endpoint"]);
      assert.equal((await explain(agent, target, "--udp")).outcome, "none");
    });
  }

  it("the VIP's own listener is there: it answers who is not balanced", async () => {
    const { net } = world();
    const outside = { ...net.client, cgroup: net.aside.path };
    const result = await net.hammer({ kind: "tcp4", targets: [at(vips[0], 8080)], count: 5 }, outside);
    assert.deepEqual(flawless(result).servers, { a: 5 });
  });

  it("serves again when a local endpoint comes, and says nothing more of it", async () => {
    const { net, agent } = world();
    await agent.reload(strict({ c: far }));
    await agent.reload(strict({ c: far, d: near }));
    const { servers } = flawless(
      await net.hammer({ kind: "tcp6", targets: [at(vips[1], 8080)], count: 20 }),
    );
    assert.deepEqual(servers, { d: 20 });
    assert.equal((await viewOf(agent)).note, "");
  });

  it("is strict about ranges too", async () => {
    const { net, agent } = world();
    const target = "10.98.7.7:80";
    await agent.reload(strict({ b: near, c: far }));
    const { servers } = flawless(await net.hammer({ kind: "tcp4", targets: [target], count: 20 }));
    assert.deepEqual(servers, { b: 20 });
    assert.equal((await viewOf(agent, "range")).note, "");
    await agent.reload(strict({ c: far }));
    await using sockets = await net.sockets();
    await assert.rejects((await sockets.open("tcp4")).connect(target), { code: "EHOSTUNREACH" });
    assert.equal((await viewOf(agent, "range")).note, "refused: strict, no local endpoint");
    assert.equal((await explain(agent, target)).reason, "strict, no local endpoint");
  });

  it("is not blamed where a family has no endpoint at all", async () => {
    const { agent } = world();
    const four = { families: [4] } as const;
    await agent.reload(strict({ b: inZone("near", four), c: inZone("far", four) }));
    assert.equal((await viewOf(agent)).note, "");
  });
});

describeKernel("where the node is, told by its workloads", () => {
  /** What runs here: no service needs it, it says where the node is. */
  const here = (...zones: string[]): Services => ({
    ...web({ a: near, b: far }),
    local: {
      vips: [],
      members: Object.fromEntries(
        zones.map((zone, i) => [["c", "d"][i], inZone(zone, { more: { node: "n1" } })]),
      ),
    },
  });
  const world = useWorld({ services: here(), args: ["--node", "n1"] });

  const cases: { zones: string[]; zone: string; region: string; chosen: string[] }[] = [
    { zones: [], region: "", zone: "", chosen: ["a", "b"] },
    { zones: ["near"], region: "r", zone: "near", chosen: ["a"] },
    { zones: ["far"], region: "r", zone: "far", chosen: ["b"] },
    { zones: ["near", "near"], region: "r", zone: "near", chosen: ["a"] },
    { zones: ["near", "far"], region: "", zone: "", chosen: ["a", "b"] },
    { zones: ["elsewhere"], region: "r", zone: "elsewhere", chosen: ["a", "b"] },
    { zones: ["far"], region: "r", zone: "far", chosen: ["b"] },
  ];
  for (const { zones, region, zone, chosen } of cases) {
    it(`${zones.join(" and ") || "nobody"}: ${chosen.join(" and ")} is chosen`, async () => {
      const { net, agent } = world();
      await agent.reload(here(...zones));
      const { agent: about, warnings } = await agent.status();
      assert.deepEqual([about?.node, about?.region, about?.zone], ["n1", region, zone]);
      assert.equal(warnings.some((warning) => /do not agree/.test(warning)), zones.join() === "near,far");
      const { servers } = flawless(await net.hammer({ kind: "tcp4", targets: [failover4], count: 60 }));
      assert.deepEqual(Object.keys(servers).toSorted(), chosen);
      const { node, endpoints } = await explain(agent, failover4);
      assert.deepEqual([node.zone, endpoints.map(({ uid }) => uid)], [
        zone,
        chosen.map((name) => `web/${name}`),
      ]);
    });
  }

  it("no connection fails while that changes", async () => {
    const { net, agent } = world();
    await using stream = await net.startHammer({ kind: "tcp4", targets: [failover4], perSecond: rate(1000) });
    for (let i = 0; i < 20; i++) await agent.reload(here(...cases[i % cases.length].zones));
    assert.deepEqual(Object.keys(flawless(await stream.stop()).servers).toSorted(), ["a", "b"]);
    await eventually("the last place is known", async () => (await agent.status()).errors.length === 0);
  });
});

describeKernel("where the node is, in a mesh of many services", () => {
  const [services, each] = [500, 20];
  const names = Array.from({ length: each }, (_, i) => `s${i}`);
  const zones = ["near", "far", "elsewhere"];
  const zoneOf = (name: string) => zones[names.indexOf(name) % zones.length];
  const vipOf = (i: number) => `10.96.${i >> 8}.${i & 255}`;
  const meshIn = (zone: string): Services => ({
    ...Object.fromEntries(Array.from({ length: services }, (_, i) => [`web${i}`, {
      vips: [vipOf(i)],
      members: Object.fromEntries(names.map((name) => [name, inZone(zoneOf(name), { families: [4] })])),
      more: balancer("Failover"),
    }])),
    local: { vips: [], members: { s0: inZone(zone, { more: { node: "n1" } }) } },
  });

  it("no connection fails while that changes, and afterwards all go where it is", async () => {
    await using net = await createTestNet({
      servers: Object.fromEntries(names.map((name) => [name, [8080]])),
    });
    await using agent = await startAgent(net, { services: meshIn("near"), args: ["--node", "n1"] });
    const targets = Array.from({ length: services }, (_, i) => at(vipOf(i), 80));
    await using stream = await net.startHammer({ kind: "tcp4", targets, perSecond: rate(1000) });
    for (const zone of ["far", "elsewhere", "near", "far"]) {
      await agent.reload(meshIn(zone));
      const { servers } = flawless(await net.hammer({ kind: "tcp4", targets, count: services }));
      assert.deepEqual([...new Set(Object.keys(servers).map(zoneOf))], [zone]);
    }
    flawless(await stream.stop());
  });
});

describeKernel("weft explain of a running agent", () => {
  const vips = ["10.96.0.1", "fd96::1"];
  const world = useWorld({
    services: {
      web: {
        vips,
        members: {
          a: inZone("near", { capacity: 5 }),
          b: inZone("near", { capacity: 2 }),
          c: near,
          d: inZone("far", { capacity: 9 }),
        },
        more: balancer("Failover"),
      },
      left: { vips: ["10.96.0.2"], more: { loadBalancer: { ...allowAll, mode: "Passthrough" } } },
    },
    args: atHome,
  });

  describe("agrees with real connections", () => {
    const count = repetitions(10_000, 1000);
    const ways: [HammerKind, string][] = [
      ["tcp4", at(vips[0], 80)],
      ["tcp6", at(vips[1], 80)],
      ["udp4", at(vips[0], 80)],
      ["send6", at(vips[1], 80)],
    ];
    for (const [kind, target] of ways) {
      it(`${count} of ${kind}`, async () => {
        const { net, agent } = world();
        const shares = sharesOf(await explain(agent, target, ...kind.startsWith("tcp") ? [] : ["--udp"]));
        assert.deepEqual(Object.keys(shares), ["a", "b", "c"]);
        const result = flawless(await net.hammer({ kind, targets: [target], count }));
        assertSpread(result.servers, shares);
      });
    }
  });

  it("names what is not balanced", async () => {
    const { net, agent } = world();
    const outcome = async (...args: string[]) => (await explain(agent, ...args)).outcome;
    assert.equal(await outcome(at(vips[0], 81)), "none");
    assert.equal(await outcome(at(vips[0], 81), "--udp"), "passthrough");
    assert.equal(await outcome("10.96.0.2:80"), "passthrough");
    assert.equal(await outcome("192.0.2.1:80"), "unknown");
    assert.equal(await outcome(at(net.servers.a.v4, 1)), "endpoints");
  });

  it("refuses what only goes with a file, and what is no address", async () => {
    const { agent } = world();
    const wrong = await agent.weft("explain", at(vips[0], 80), "--zone", "far");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--zone goes with --mesh/);
    assert.equal((await agent.weft("explain", "web:80")).code, 2);
  });
});
