import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { inPlace, run, sleep } from "../../src/host/mod.ts";
import {
  describeKernel,
  eventually,
  flawless,
  mapped,
  patience,
  serviceName,
  type SocketKind,
  type TestNet,
  useWorld,
} from "../kit/mod.ts";
import {
  asideIn,
  atHome,
  connect,
  endpointsOf,
  neighbours,
  outcome,
  web,
  web4,
  web6,
} from "./_near_and_far.ts";

/** What a server's host does with connects, until it is let be again. */
interface Trouble extends AsyncDisposable {
  /** Undoes it. */
  readonly end: () => Promise<void>;
}

async function trouble(net: TestNet, commands: { make: string[]; undo: string[] }): Promise<Trouble> {
  const place = { namespace: net.serverNamespace };
  for (const command of commands.make) await run(inPlace(command.split(" "), place));
  const end = async () => {
    for (const command of commands.undo) await run(inPlace(command.split(" "), place));
  };
  return { end, [Symbol.asyncDispose]: end };
}

/** The server gets what is sent to it, and nobody hears of it again. */
function silence(net: TestNet, server: string): Promise<Trouble> {
  const { v4, v6 } = net.servers[server];
  const rules = [`-4 rule ACTION from ${v4} blackhole`, `-6 rule ACTION from ${v6} blackhole`];
  const commands = (action: string) => rules.map((rule) => `ip ${rule.replace("ACTION", action)}`);
  return trouble(net, { make: commands("add"), undo: commands("del") });
}

describeKernel("how connects fail", () => {
  const world = useWorld({
    // In this order: with its first address a device loses them all.
    servers: { b: [8080], a: [] },
    services: web(neighbours),
    args: [...atHome, "--consecutive-failures", "2", "--base-ejection-time", "1h"],
  });

  /** Forgets what was. */
  async function anew(): Promise<void> {
    const { agent } = world();
    await agent.reload(web({ b: neighbours.b }));
    await agent.reload(web(neighbours));
    assert.deepEqual([await asideIn(agent, 4), await asideIn(agent, 6)], [[], []]);
  }

  async function expectAside(family: 4 | 6, how: string): Promise<void> {
    const { net, agent } = world();
    const other = family === 4 ? 6 : 4;
    await eventually("a is set aside", async () => (await asideIn(agent, family)).join() === "a");
    const a = (await endpointsOf(agent)).find(({ uid, setAside }) => uid === "web/a" && setAside)!;
    const { until, ...why } = a.setAside!;
    assert.deepEqual(why, { failures: 2, how, times: 1 });
    const left = new Date(until).getTime() - Date.now();
    assert.ok(left > 3_500_000 && left <= 3_600_000, `until ${until}`);
    assert.deepEqual([a.tier, a.state, a.share], [0, "set aside", 0]);
    // A port and family stand alone: nobody has connected to the other.
    assert.deepEqual(await asideIn(agent, other), []);
    for (const kind of ["tcp", "udp"] as const) {
      const target = family === 4 ? web4 : web6;
      const { servers } = flawless(
        await net.hammer({ kind: `${kind}${family}`, targets: [target], count: 20 }),
      );
      assert.deepEqual(servers, { b: 20 });
    }
  }

  const ways: { what: string; kind: SocketKind; target: string; family: 4 | 6 }[] = [
    { what: "IPv4", kind: "tcp4", target: web4, family: 4 },
    { what: "IPv6", kind: "tcp6", target: web6, family: 6 },
    { what: "IPv4 by an IPv6 socket", kind: "tcp6", target: mapped(web4), family: 4 },
  ];
  for (const { what, kind, target, family } of ways) {
    it(`refused, ${what}`, async () => {
      await anew();
      await using sockets = await world().net.sockets();
      for (let i = 0; i < 2; i++) assert.equal(await connect(sockets, kind, target), "ECONNREFUSED");
      await expectAside(family, "refused");
    });

    it(`refused without waiting for it, ${what}`, async () => {
      await anew();
      await using sockets = await world().net.sockets();
      for (let i = 0; i < 2; i++) {
        const socket = await sockets.open(kind);
        await socket.nonBlocking();
        // On one host it may be over when connect() returns.
        const [at_once, later] = [await outcome(socket.connect(target)), await outcome(socket.connected())];
        assert.deepEqual([at_once, later], ["EINPROGRESS", "ECONNREFUSED"]);
        await socket.close();
      }
      await expectAside(family, "refused");
    });
  }

  for (const { what, kind, target, family } of ways.slice(0, 2)) {
    it(`timed out, ${what}`, async () => {
      await anew();
      const { net } = world();
      await setSynRetries(net, 1);
      await using _server = await net.serve(["a"]);
      await using _ = await silence(net, "a");
      const results = await Promise.all([1, 2].map(async () => {
        await using sockets = await net.sockets();
        return await connect(sockets, kind, target, patience(20_000));
      }));
      await setSynRetries(net, 6);
      assert.deepEqual(results, ["ETIMEDOUT", "ETIMEDOUT"]);
      await expectAside(family, "timed out");
    });

    it(`given up after a SYN was not answered, ${what}`, async () => {
      await anew();
      const { net } = world();
      await using _server = await net.serve(["a"]);
      await using _ = await silence(net, "a");
      await using sockets = await net.sockets();
      const started = await Promise.all([1, 2].map(async () => {
        const socket = await sockets.open(kind);
        await socket.nonBlocking();
        assert.equal(await outcome(socket.connect(target)), "EINPROGRESS");
        return socket;
      }));
      // The first is sent again after a second.
      await sleep(1500);
      for (const socket of started) await socket.close();
      await expectAside(family, "given up");
    });
  }

  it("nobody has the address any more", async () => {
    await anew();
    const { net } = world();
    const { v4 } = net.servers.a;
    const device = (await net.run(["ip", "-o", "-4", "route", "get", v4])).match(/ dev (\S+)/)![1];
    await using _ = await trouble(net, {
      make: [`ip addr del ${v4}/16 dev ${await deviceOf(net, v4)}`],
      undo: [`ip addr add ${v4}/16 dev ${await deviceOf(net, v4)}`],
    });
    await net.run(["ip", "neigh", "flush", "dev", device]);
    const results = await Promise.all([1, 2].map(async () => {
      await using sockets = await net.sockets();
      return await connect(sockets, "tcp4", web4, patience(20_000));
    }));
    assert.deepEqual(results, ["EHOSTUNREACH", "EHOSTUNREACH"]);
    await expectAside(4, "unreachable");
  });

  it("closed by the application before it can have failed: no failure", async () => {
    await anew();
    const { net, agent } = world();
    await using _server = await net.serve(["a"]);
    await using _ = await silence(net, "a");
    await using sockets = await net.sockets();
    const before = (await agent.status()).counters;
    for (let i = 0; i < 10; i++) {
      const socket = await sockets.open("tcp4");
      await socket.nonBlocking();
      assert.equal(await outcome(socket.connect(web4)), "EINPROGRESS");
      await (i % 2 ? socket.close() : socket.disconnect());
    }
    await sleep(500);
    assert.deepEqual(await asideIn(agent), []);
    assert.deepEqual(endpointCounters((await agent.status()).counters), endpointCounters(before));
  });

  it("a connect that succeeds in between: they are not in a row", async () => {
    await anew();
    const { net, agent } = world();
    await using sockets = await net.sockets();
    for (let i = 0; i < 4; i++) {
      assert.equal(await connect(sockets, "tcp4", web4), "ECONNREFUSED");
      await using _ = await net.serve(["a"]);
      assert.equal(await connect(sockets, "tcp4", web4), "connected");
    }
    await sleep(500);
    assert.deepEqual(await asideIn(agent), []);
  });

  it("a socket that tries again after it was refused fails twice", async () => {
    await anew();
    const { net } = world();
    await using sockets = await net.sockets();
    const socket = await sockets.open("tcp4");
    for (let i = 0; i < 2; i++) assert.equal(await outcome(socket.connect(web4)), "ECONNREFUSED");
    await expectAside(4, "refused");
    assert.equal(await outcome(socket.connect(web4)), "connected");
  });

  it("weft tells of it: endpoints, explain, status, log, metrics", async () => {
    await anew();
    const { net, agent } = world();
    await using sockets = await net.sockets();
    const { outliers, counters } = await agent.status();
    const { connections } = (await endpointsOf(agent)).find(({ uid, family }) =>
      uid === "web/b" && family === "IPv4"
    )!;
    for (let i = 0; i < 2; i++) await connect(sockets, "tcp4", web4);
    await expectAside(4, "refused");
    const table = (await agent.weft("endpoints", serviceName("web"))).stdout;
    const [head, ...lines] = table.trimEnd().split("\n").map((line) => line.trim().split(/ {2,}/));
    assert.deepEqual(head.join(), "PORT,FAMILY,TIER,ENDPOINT,WORKLOAD,WEIGHT,HEALTH,SHARE,CONNECTIONS,STATE");
    const [a, b] = lines.filter((line) => line[1] === "IPv4").map((line) => line.join());
    assert.match(
      a,
      /^80,IPv4,0,10\.77\.1\.2:8080,web\/a,1,Healthy,0\.0%,2,set aside until \d\d:\d\d:\d\d \(\d+ s\): 2 connects in a row failed, the last one refused$/,
    );
    assert.equal(b, `80,IPv4,1,10.77.1.1:8080,web/b,1,Healthy,100.0%,${connections + 40},serving`);
    const explained = JSON.parse((await agent.weft("explain", web4, "-o", "json")).stdout);
    assert.deepEqual(explained.excluded, [{ uid: "web/a", reason: "set aside" }]);
    const after = await agent.status();
    assert.equal(after.outliers!.aside, 1);
    assert.equal(after.outliers!.setAside, outliers!.setAside + 1);
    assert.equal(after.counters.endpoint_refused, counters.endpoint_refused + 2);
    assert.match((await agent.weft("status")).stdout, /^set aside +1 endpoint$/m);
    assert.match((await agent.weft("metrics")).stdout, /^weft_endpoints_aside 1$/m);
    const line = agent.log.findLast(({ msg }) => /set aside: 2 connects/.test(msg))!;
    assert.deepEqual(
      [line.level, line.service, line.port, line.family, line.endpoint, line.workload, line.last, line.times],
      ["warn", serviceName("web"), 80, 4, "10.77.1.2:8080", "web/a", "refused", 1],
    );
  });
});

/** What is counted of connects that failed. */
function endpointCounters(counters: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([name]) => name.startsWith("endpoint_")));
}

/** How often clients send a SYN again. */
async function setSynRetries(net: TestNet, times: number): Promise<void> {
  await net.run(["sh", "-c", `echo ${times} > /proc/sys/net/ipv4/tcp_syn_retries`]);
}

async function deviceOf({ serverNamespace }: TestNet, address: string): Promise<string> {
  const said = await run(
    inPlace(["ip", "-o", "addr", "show", "to", address], { namespace: serverNamespace }),
  );
  return said.split(/\s+/)[1];
}
