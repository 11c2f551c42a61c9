import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { at, describeKernel, members, type RemoteSocket, type Services, useWorld } from "../kit/mod.ts";

const many = at("10.96.0.1", 80);
const manyToo = at("10.96.0.1", 81);
const others = at("10.96.0.2", 80);
const left = at("10.96.0.3", 80);
const right = at("10.96.0.4", 80);
const changing = at("10.96.0.5", 80);
const changing6 = at("fd96::5", 80);

const all = members("a", "b", "c", "d");

function services(changingMembers: Services[string]["members"] = all): Services {
  return {
    many: { vips: ["10.96.0.1"], ports: { 80: 8080, 81: 8080 }, members: all },
    others: { vips: ["10.96.0.2"], members: members("b", "c", "d") },
    left: { vips: ["10.96.0.3"], members: members("a") },
    right: { vips: ["10.96.0.4"], members: members("a") },
    changing: { vips: ["10.96.0.5", "fd96::5"], members: changingMembers },
  };
}

/** Who answers, asked some times. */
async function answering(socket: RemoteSocket, to?: string, times = 20): Promise<string[]> {
  const servers = new Set<string>();
  for (let i = 0; i < times; i++) servers.add((await socket.ask(`${i}`, to)).server);
  return [...servers];
}

/** With four endpoints alike, what happens for no reason but chance goes well on all of so many sockets once in 4^16 runs. */
const enough = 16;

describeKernel("a UDP socket keeps its backend per VIP and port", () => {
  const world = useWorld({ services: services() });

  it("where it is connected", async () => {
    await using sockets = await world().net.sockets();
    const socket = await sockets.open("udp4");
    await socket.connect(many);
    assert.equal((await answering(socket)).length, 1);
  });

  it("where it is not", async () => {
    await using sockets = await world().net.sockets();
    const socket = await sockets.open("udp6");
    assert.equal((await answering(socket, changing6)).length, 1);
  });

  it("when a connected socket names the VIP in sendto()", async () => {
    await using sockets = await world().net.sockets();
    for (let i = 0; i < enough; i++) {
      const socket = await sockets.open("udp4");
      await socket.connect(many);
      assert.deepEqual(await answering(socket, many, 3), await answering(socket, undefined, 3));
    }
  });

  it("when it connects after it has sent", async () => {
    await using sockets = await world().net.sockets();
    for (let i = 0; i < enough; i++) {
      const socket = await sockets.open("udp4");
      const before = await answering(socket, many, 3);
      await socket.connect(many);
      assert.deepEqual(await answering(socket, undefined, 3), before);
    }
  });

  it("when it turns to another VIP and comes back", async () => {
    await using sockets = await world().net.sockets();
    for (let i = 0; i < enough; i++) {
      const socket = await sockets.open("udp4");
      await socket.connect(many);
      const first = await answering(socket, undefined, 1);
      await socket.connect(others);
      const second = await answering(socket, undefined, 1);
      assert.equal(await socket.peer(), others);
      await socket.connect(many);
      assert.deepEqual(await answering(socket, undefined, 2), first);
      await socket.connect(others);
      assert.deepEqual(await answering(socket, undefined, 2), second);
    }
  });

  it("each port by itself, and each answer from the port that was asked", async () => {
    await using sockets = await world().net.sockets();
    let different = 0;
    for (let i = 0; i < enough; i++) {
      const socket = await sockets.open("udp4");
      const one = await socket.ask("one", many);
      assert.equal(one.from, many);
      const two = await socket.ask("two", manyToo);
      assert.equal(two.from, manyToo);
      if (one.server !== two.server) different++;
    }
    assert.ok(different > 0, "both ports always had the same backend");
  });
});

describeKernel("several VIPs on one UDP socket", () => {
  const world = useWorld({ services: services() });

  it("each answer comes from the VIP that was asked, where backends differ", async () => {
    const { net } = world();
    await using sockets = await net.sockets();
    const socket = await sockets.open("udp4");
    await socket.sendTo("1", left);
    await socket.sendTo("2", others);
    await socket.sendTo("3", left);
    const answers = [await socket.receive(), await socket.receive(), await socket.receive()];
    assert.deepEqual(
      answers.map(({ text, from }) => `${text} ${from}`).sort(),
      [`1 ${left}`, `2 ${others}`, `3 ${left}`],
    );
  });

  it("the one sent to last answers, where they share a backend", async () => {
    await using sockets = await world().net.sockets();
    const socket = await sockets.open("udp4");
    assert.equal((await socket.ask("1", left)).from, left);
    assert.equal((await socket.ask("2", right)).from, right);
    assert.equal((await socket.ask("3", left)).from, left);
    await socket.sendTo("4", left);
    await socket.sendTo("5", right);
    assert.deepEqual([(await socket.receive()).from, (await socket.receive()).from], [right, right]);
  });

  it("a backend asked by its own address answers from there, and again from the VIP when that is asked", async () => {
    const { net } = world();
    const own = at(net.servers.a.v4, 8080);
    await using sockets = await net.sockets();
    const socket = await sockets.open("udp4");
    assert.equal((await socket.ask("1", left)).from, left);
    assert.equal((await socket.ask("2", own)).from, own);
    assert.equal((await socket.ask("3", left)).from, left);
  });

  it("a connected socket may send to another VIP, and stays connected to its own", async () => {
    await using sockets = await world().net.sockets();
    const socket = await sockets.open("udp4");
    await socket.connect(left);
    await socket.sendTo("elsewhere", others);
    const { server } = await socket.ask("here");
    assert.equal(server, "a");
    assert.equal(await socket.peer(), left);
  });

  it("a socket that disconnects is shown no VIP any more, and may be used again", async () => {
    await using sockets = await world().net.sockets();
    const socket = await sockets.open("udp4");
    await socket.connect(left);
    await socket.disconnect();
    await assert.rejects(socket.peer(), { code: "ENOTCONN" });
    assert.equal((await socket.ask("again", right)).from, right);
  });
});

describeKernel("a UDP socket whose backend goes", () => {
  const world = useWorld({ services: services() });

  /** One socket a way, each with its backend, of which `gone` is then taken away. */
  const cases: { what: string; without: (gone: string) => Services[string]["members"] }[] = [
    {
      what: "is removed",
      without: (gone) => Object.fromEntries(Object.entries(all).filter(([name]) => name !== gone)),
    },
    { what: "turns unhealthy", without: (gone) => ({ ...all, [gone]: { status: "Unhealthy" } }) },
    { what: "gets capacity 0", without: (gone) => ({ ...all, [gone]: { capacity: 0 } }) },
  ];
  for (const { what, without } of cases) {
    it(`gets another when its own ${what}, and others keep theirs`, async () => {
      const { net, agent } = world();
      await agent.reload(services());
      await using sockets = await net.sockets();
      const held: { socket: RemoteSocket; to: string; server: string }[] = [];
      for (let i = 0; i < 12; i++) {
        const to = i % 2 === 0 ? changing : changing6;
        const socket = await sockets.open(i % 2 === 0 ? "udp4" : "udp6");
        held.push({ socket, to, server: (await socket.ask("first", to)).server });
      }
      const gone = held[0].server;
      await agent.reload(services(without(gone)));
      for (const { socket, to, server } of held) {
        const now = await answering(socket, to, 3);
        assert.equal(now.length, 1);
        if (server === gone) assert.notEqual(now[0], gone);
        else assert.equal(now[0], server);
      }
    });
  }

  it("stays connected to it until it asks for the VIP again", async () => {
    const { net, agent } = world();
    await agent.reload(services());
    await using sockets = await net.sockets();
    const socket = await sockets.open("udp4");
    await socket.connect(changing);
    const { server } = await socket.ask("first");
    const rest = Object.keys(all).filter((name) => name !== server);
    await agent.reload(services(members(...rest)));
    assert.equal((await socket.ask("still")).server, server);
    await socket.connect(changing);
    assert.ok(rest.includes((await socket.ask("again")).server));
    assert.equal(await socket.peer(), changing);
  });
});
