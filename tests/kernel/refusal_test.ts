import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { at, describeKernel, members, serviceName, type SocketKind, useWorld } from "../kit/mod.ts";

/** What is wrong with a service, and what a connection to its port 80 meets then. */
const troubles: {
  name: string;
  trouble: string;
  /** False where no endpoint maps the port: UDP is none of the mesh's business then. */
  mapped: boolean;
}[] = [
  { name: "nobody", trouble: "has no endpoints", mapped: false },
  { name: "unmapped", trouble: "has only endpoints that map the port to 0", mapped: false },
  { name: "sick", trouble: "has only unhealthy endpoints", mapped: true },
  { name: "idle", trouble: "has only endpoints of capacity 0", mapped: true },
  { name: "abroad", trouble: "has only endpoints of another network", mapped: true },
  { name: "otherfamily", trouble: "has only endpoints of the other family", mapped: true },
];

const vip4 = (name: string) => `10.96.0.${troubles.findIndex((one) => one.name === name) + 10}`;
const vip6 = (name: string) => `fd96::${troubles.findIndex((one) => one.name === name) + 10}`;

const four = { families: [4] } as const;
const six = { families: [6] } as const;

describeKernel("refusals", () => {
  const world = useWorld({
    services: {
      web: { vips: ["10.96.0.1", "fd96::1"], members: members("a", "b") },
      nobody: { vips: [vip4("nobody"), vip6("nobody")] },
      unmapped: {
        vips: [vip4("unmapped"), vip6("unmapped")],
        ports: { 80: 0 },
        members: { a: { ports: { 80: 0 } }, b: { ports: { 81: 8080 } } },
      },
      sick: {
        vips: [vip4("sick"), vip6("sick")],
        members: { a: { status: "Unhealthy" }, b: { status: "Unhealthy" } },
      },
      idle: { vips: [vip4("idle"), vip6("idle")], members: { a: { capacity: 0 }, b: { capacity: 0 } } },
      abroad: { vips: [vip4("abroad"), vip6("abroad")], members: { a: { more: { network: "elsewhere" } } } },
      otherfamily: { vips: [vip4("otherfamily")], members: { a: six } },
      otherfamily6: { vips: [vip6("otherfamily")], members: { a: four } },
    },
  });

  for (const { name, trouble, mapped } of troubles) {
    describe(`a service that ${trouble}`, () => {
      for (const [family, vip] of [["4", vip4(name)], ["6", vip6(name)]] as const) {
        const stream: SocketKind = `tcp${family}`;
        const datagrams: SocketKind = `udp${family}`;

        it(`TCP is refused, IPv${family}`, async () => {
          await using sockets = await world().net.sockets();
          const socket = await sockets.open(stream);
          await assert.rejects(socket.connect(at(vip, 80)), { code: "EHOSTUNREACH" });
        });

        it(`UDP is ${mapped ? "refused" : "left alone"}, IPv${family}`, async () => {
          await using sockets = await world().net.sockets();
          const [connected, unconnected] = [
            await sockets.open(datagrams, 100),
            await sockets.open(datagrams, 100),
          ];
          if (mapped) {
            await assert.rejects(connected.connect(at(vip, 80)), { code: "EHOSTUNREACH" });
            await assert.rejects(unconnected.sendTo("hello", at(vip, 80)), { code: "EHOSTUNREACH" });
          } else {
            await connected.connect(at(vip, 80));
            assert.equal(await connected.peer(), at(vip, 80));
            // It goes where the routes lead: nowhere.
            await assert.rejects(connected.ask("hello"), { code: "EAGAIN" });
            await assert.rejects(unconnected.ask("hello", at(vip, 80)), { code: "EAGAIN" });
          }
        });
      }
    });
  }

  describe("a port that the service does not list", () => {
    for (const [family, vip] of [["4", "10.96.0.1"], ["6", "fd96::1"]] as const) {
      it(`TCP is refused, IPv${family}`, async () => {
        await using sockets = await world().net.sockets();
        for (const port of [1, 79, 8080, 65535]) {
          const socket = await sockets.open(`tcp${family}`);
          await assert.rejects(socket.connect(at(vip, port)), { code: "EHOSTUNREACH" }, `port ${port}`);
        }
      });

      it(`UDP is left alone, port 0 too, IPv${family}`, async () => {
        await using sockets = await world().net.sockets();
        for (const port of [0, 1, 79, 8080, 65535]) {
          const socket = await sockets.open(`udp${family}`);
          await socket.connect(at(vip, port));
          // The kernel takes a socket that is connected to port 0 for one that is not connected.
          if (port !== 0) assert.equal(await socket.peer(), at(vip, port));
        }
        const unconnected = await sockets.open(`udp${family}`, 100);
        await assert.rejects(unconnected.ask("hello", at(vip, 79)), { code: "EAGAIN" });
      });
    }
  });

  it("are counted, by protocol and by service", async () => {
    const { net, agent } = world();
    const refusedOf = async () => {
      const { code, stdout } = await agent.weft("services", "-o", "json");
      assert.equal(code, 0);
      const services: { service: string; refused: number }[] = JSON.parse(stdout);
      return services.find(({ service }) => service === serviceName("sick"))?.refused ?? NaN;
    };
    const before = await agent.status();
    const serviceBefore = await refusedOf();
    await net.hammer({ kind: "tcp4", targets: [at(vip4("sick"), 80)], count: 7 });
    await net.hammer({ kind: "send6", targets: [at(vip6("sick"), 80)], count: 5 });
    const after = await agent.status();
    assert.equal(after.counters.tcp_refused - before.counters.tcp_refused, 7);
    assert.equal(after.counters.udp_refused - before.counters.udp_refused, 5);
    assert.equal(await refusedOf() - serviceBefore, 12);
  });

  it("are told in the log, with the destination and the program", async () => {
    const { agent } = world();
    const line = await agent.logged((line) =>
      /refused/.test(line.msg) && line.destination === at(vip4("idle"), 80)
    );
    assert.equal(line.command, "peer");
  });

  it("end when an endpoint becomes usable", async () => {
    const { net, agent } = world();
    const web = { vips: ["10.96.0.1", "fd96::1"], members: members("a", "b") };
    await agent.reload({
      web,
      sick: { vips: [vip4("sick")], members: { a: { status: "Unhealthy" }, b: {} } },
    });
    const result = await net.hammer({ kind: "tcp4", targets: [at(vip4("sick"), 80)], count: 50 });
    assert.deepEqual([result.servers, result.errors], [{ b: 50 }, {}]);
  });
});
