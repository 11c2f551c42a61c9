import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { at, describeKernel, flawless, type HammerKind, members, serviceName, useWorld } from "../kit/mod.ts";

const waypoint = { destination: "test/waypoint.test.mesh", hboneMtlsPort: 15008 };
const loadBalancer = { routingPreferences: [], mode: "Passthrough", healthPolicy: "OnlyHealthy" };

/** Services whose VIPs are real addresses of server a, and whose only endpoint is b. */
const leftAlone: { name: string; what: string; vip: string; more?: Record<string, unknown> }[] = [
  { name: "passthrough", what: "has mode Passthrough", vip: "10.96.0.1", more: { loadBalancer } },
  { name: "passthrough6", what: "has mode Passthrough", vip: "fd96::1", more: { loadBalancer } },
  { name: "waypoint", what: "has a waypoint", vip: "10.96.0.2", more: { waypoint } },
  { name: "waypoint6", what: "has a waypoint", vip: "fd96::2", more: { waypoint } },
  {
    name: "weighted-waypoints",
    what: "has weighted waypoints",
    vip: "10.96.0.3",
    more: { weightedWaypoints: [{ destination: waypoint, weight: 1 }] },
  },
  { name: "elsewhere", what: "has its VIP on another network", vip: "10.96.0.4" },
  {
    name: "hidden",
    what: "is visible in its namespace only",
    vip: "10.96.0.5",
    more: { visibility: "Namespace" },
  },
];

describeKernel("what is not to be balanced is left alone", () => {
  const world = useWorld({
    extraAddresses: leftAlone.map(({ vip }) => vip),
    services: {
      ...Object.fromEntries(leftAlone.map(({ name, vip, more }) => [name, {
        vips: [name === "elsewhere" ? `elsewhere/${vip}` : vip],
        members: members("b"),
        more,
      }])),
      web: { vips: ["10.97.0.1", "fd97::1"], members: members("a", "b") },
      // A workload's own waypoint matters for calls to its own address only.
      behind: { vips: ["10.97.0.3"], members: { c: { more: { waypoint } } } },
    },
  });

  for (const { what, vip } of leftAlone) {
    const family = vip.includes(":") ? 6 : 4;
    describe(`a service that ${what}, IPv${family}`, () => {
      for (const kind of [`tcp${family}`, `udp${family}`, `send${family}`] as HammerKind[]) {
        it(`${kind}: the VIP itself is reached, on whatever port`, async () => {
          // 8080 is where the VIP's own server listens; the service lists 80.
          const result = await world().net.hammer({ kind, targets: [at(vip, 8080)], count: 20 });
          assert.deepEqual(flawless(result).servers, { a: 20 });
          assert.deepEqual(result.peers, { [at(vip, 8080)]: 20 });
        });
      }

      it("the port that it lists is not balanced either", async () => {
        await using sockets = await world().net.sockets();
        const socket = await sockets.open(`tcp${family}`);
        await assert.rejects(socket.connect(at(vip, 80)), { code: "ECONNREFUSED" });
      });
    });
  }

  it("status and services say which services need a waypoint", async () => {
    const { agent } = world();
    const { needsWaypoint } = await agent.status();
    assert.deepEqual(
      needsWaypoint.toSorted(),
      ["waypoint", "waypoint6", "weighted-waypoints"].map(serviceName),
    );
    const { stdout } = await agent.weft("services", "-o", "json");
    const services: { service: string; note: string }[] = JSON.parse(stdout);
    const notes = Object.fromEntries(services.map(({ service, note }) => [service, note]));
    assert.match(notes[serviceName("waypoint")], /needs waypoint/);
    assert.match(notes[serviceName("passthrough")], /passthrough/i);
    assert.equal(notes[serviceName("web")], "");
  });

  it("a workload that has a waypoint is an endpoint like any other", async () => {
    const { net } = world();
    const result = await net.hammer({ kind: "tcp4", targets: [at("10.97.0.3", 80)], count: 20 });
    assert.deepEqual(flawless(result).servers, { c: 20 });
    const direct = await net.hammer({ kind: "tcp4", targets: [at(net.servers.c.v4, 8080)], count: 20 });
    assert.deepEqual(flawless(direct).servers, { c: 20 });
  });
});

describeKernel("getaddrinfo()", () => {
  const world = useWorld({
    services: {
      web: { vips: ["10.96.0.1", "fd96::1"], members: members("a", "b") },
      dns: { vips: ["10.96.0.2", "fd96::2"], ports: { 53: 8080 }, members: members("a") },
      nobody: { vips: ["10.96.0.3", "fd96::3"] },
    },
  });

  /** It connects UDP sockets to the addresses, to see which sources they would have, and sorts by that. */
  const names: Record<string, string[]> = {
    one: ["10.96.0.1"],
    both: ["10.96.0.1", "fd96::1"],
    turned: ["fd96::1", "10.96.0.1"],
    many: [
      "10.96.0.2",
      "fd96::3",
      "10.77.1.1",
      "10.96.0.1",
      "fd77::1:2",
      "fd96::2",
      "10.96.0.3",
      "127.0.0.1",
    ],
  };

  for (const [name, addresses] of Object.entries(names)) {
    it(`gives the same answer in the same order as without weft: ${addresses.join(", ")}`, async () => {
      const { net } = world();
      const lines = Object.entries(names).flatMap(([name, all]) =>
        all.map((address) => `${address} ${name}`)
      );
      await using inside = await net.sockets();
      await using outside = await net.sockets({ ...net.client, cgroup: net.aside.path });
      await inside.setHosts(lines);
      await outside.setHosts(lines);
      for (const port of [0, 53, 80, 443]) {
        const expected = await outside.getAddrInfo(name, port);
        assert.deepEqual(expected.toSorted(), addresses.map((address) => at(address, port)).toSorted());
        assert.deepEqual(await inside.getAddrInfo(name, port), expected);
      }
    });
  }
});
