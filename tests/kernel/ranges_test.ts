import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  at,
  describeKernel,
  flawless,
  members,
  rate,
  type Services,
  startAgent,
  useWorld,
} from "../kit/mod.ts";

const cidrs = (...all: string[]) => ({ cidrVips: all.map((cidr) => ({ network: "", cidr })) });

const outer = { vips: [], more: cidrs("10.98.0.0/16", "fd98::/32"), members: members("a") };
const inner = { vips: [], more: cidrs("10.98.7.9/24"), members: members("b") };
/** A VIP within both. */
const exact = { vips: ["10.98.7.7", "fd98::7"], members: members("c") };
const none: Services = { web: { vips: ["10.96.0.1"], members: members("d") } };
const all: Services = { ...none, outer, inner, exact };

describeKernel("cidrVips", () => {
  const world = useWorld({ services: none });

  /** Who answers at an address. */
  async function server(kind: "tcp4" | "tcp6" | "udp4" | "udp6" | "send4", address: string): Promise<string> {
    const { net } = world();
    const result = flawless(await net.hammer({ kind, targets: [at(address, 80)], count: 20 }));
    assert.deepEqual(Object.keys(result.peers), [at(address, 80)], "the peer is the address asked for");
    return Object.keys(result.servers).join();
  }

  it("come while connections run, and none fails", async () => {
    const { net, agent } = world();
    await using stream = await net.startHammer({
      kind: "tcp4",
      targets: [at("10.96.0.1", 80)],
      perSecond: rate(500),
    });
    await agent.reload(all);
    assert.equal(await server("tcp4", "10.98.1.2"), "a");
    const { servers } = flawless(await stream.stop());
    assert.deepEqual(Object.keys(servers), ["d"]);
  });

  it("lead every address of the range to the service: the longest range's, unless it is a VIP", async () => {
    await world().agent.reload(all);
    for (const kind of ["tcp4", "udp4", "send4"] as const) {
      assert.equal(await server(kind, "10.98.0.0"), "a");
      assert.equal(await server(kind, "10.98.255.255"), "a");
      assert.equal(await server(kind, "10.98.6.255"), "a");
      assert.equal(await server(kind, "10.98.7.0"), "b");
      assert.equal(await server(kind, "10.98.7.255"), "b");
      assert.equal(await server(kind, "10.98.7.7"), "c");
      assert.equal(await server(kind, "10.98.8.0"), "a");
    }
    for (const kind of ["tcp6", "udp6"] as const) {
      assert.equal(await server(kind, "fd98::1"), "a");
      assert.equal(await server(kind, "fd98:0:ffff::1"), "a");
      assert.equal(await server(kind, "fd98::7"), "c");
    }
  });

  it("refuse TCP to a port that is not listed, and leave alone what is outside", async () => {
    const { net, agent } = world();
    await agent.reload(all);
    await using sockets = await net.sockets();
    const inside = await sockets.open("tcp4", 1000);
    await assert.rejects(inside.connect(at("10.98.1.2", 81)), { code: "EHOSTUNREACH" });
    const outside = await sockets.open("tcp4", 200);
    await assert.rejects(outside.connect(at("10.99.0.1", 80)), { code: "EINPROGRESS" });
  });

  it("of IPv6 are of no IPv4 address, whatever their length", async () => {
    const { net, agent } = world();
    await agent.reload({ ...none, everything: { vips: [], more: cidrs("::/0"), members: members("a") } });
    assert.equal(await server("tcp6", "2001:db8::1"), "a");
    await using sockets = await net.sockets();
    // A port that is not listed would be refused at once within the range.
    const inside = await sockets.open("tcp6", 1000);
    await assert.rejects(inside.connect(at("2001:db8::1", 81)), { code: "EHOSTUNREACH" });
    const outside = await sockets.open("tcp4", 200);
    await assert.rejects(outside.connect(at("10.98.0.1", 81)), { code: "EINPROGRESS" });
  });

  it("change hands and go", async () => {
    const { net, agent } = world();
    await agent.reload(all);
    await agent.reload({ ...none, inner: { ...outer, members: members("d") } });
    assert.equal(await server("tcp4", "10.98.7.1"), "d");
    await agent.reload({
      ...none,
      outer: { ...outer, more: { ...cidrs("10.98.7.0/24"), loadBalancer: null } },
    });
    assert.equal(await server("tcp4", "10.98.7.1"), "a");
    await using sockets = await net.sockets();
    const outside = await sockets.open("tcp4", 200);
    await assert.rejects(outside.connect(at("10.98.8.1", 80)), { code: "EINPROGRESS" });
    await agent.reload(none);
    const gone = await sockets.open("tcp4", 200);
    await assert.rejects(gone.connect(at("10.98.7.1", 80)), { code: "EINPROGRESS" });
    const { maps } = await agent.status();
    assert.equal(maps.find(({ name }) => name === "ranges")!.used, 0);
  });

  it("outlive the agent, and the next one goes on with them", async () => {
    const { net } = world();
    await using first = await startAgent(net, { services: all, name: "ranges", cgroup: net.aside.path });
    await first.end("SIGKILL");
    await using second = await startAgent(net, { services: all, name: "ranges", cgroup: net.aside.path });
    const place = { ...net.client, cgroup: net.aside.path };
    const ask = async () => {
      const result = await net.hammer({ kind: "tcp4", targets: [at("10.98.7.1", 80)], count: 20 }, place);
      return Object.keys(flawless(result).servers);
    };
    assert.deepEqual(await ask(), ["b"]);
    await second.reload({ ...none, outer });
    assert.deepEqual(await ask(), ["a"]);
    const { stdout } = await second.weft("explain", "10.98.7.1:80", "-o", "json");
    const { service, endpoints } = JSON.parse(stdout);
    assert.equal(service, "test/outer.test.mesh");
    assert.deepEqual(endpoints.map(({ uid }: { uid: string }) => uid), ["outer/a"]);
  });
});
