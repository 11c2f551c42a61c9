import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createCgroup } from "../../src/host/mod.ts";
import { at, describeKernel, mapped, members, type SocketKind, unmapped, useWorld } from "../kit/mod.ts";

const vip4 = at("10.96.0.1", 80);
const vip6 = at("fd96::1", 80);

/** How an application names a VIP: the socket, the address that it passes, and the address that it must be shown. */
const forms: { what: string; kind: 4 | 6; address: string; shown: string; datagramsOnly?: boolean }[] = [
  { what: "IPv4", kind: 4, address: vip4, shown: vip4 },
  { what: "IPv6", kind: 6, address: vip6, shown: vip6 },
  { what: "an IPv4-mapped address", kind: 6, address: mapped(vip4), shown: mapped(vip4) },
  // The kernel takes these for UDP only. connect4 and sendmsg4 run, getpeername6 and recvmsg6.
  {
    what: "an AF_INET address on an AF_INET6 socket",
    kind: 6,
    address: vip4,
    shown: mapped(vip4),
    datagramsOnly: true,
  },
];

describeKernel("every family, protocol and hook", () => {
  const world = useWorld({
    services: { web: { vips: ["10.96.0.1", "fd96::1"], members: members("a", "b") } },
  });

  for (const { what, kind, address, shown, datagramsOnly } of forms) {
    const stream: SocketKind = `tcp${kind}`;
    const datagram: SocketKind = `udp${kind}`;

    describe(what, () => {
      if (!datagramsOnly) {
        it("TCP: reaches an endpoint, and getpeername shows the VIP", async () => {
          await using sockets = await world().net.sockets();
          const socket = await sockets.open(stream);
          await socket.connect(address);
          assert.equal(await socket.peer(), shown);
          const { server, client } = await socket.receive();
          assert.match(server, /^[ab]$/);
          // The server sees the client itself: nothing is in between.
          assert.equal(client, unmapped(await socket.address()));
        });

        it("TCP, not blocking", async () => {
          await using sockets = await world().net.sockets();
          const socket = await sockets.open(stream);
          await socket.nonBlocking();
          await assert.rejects(socket.connect(address), { code: "EINPROGRESS" });
          await socket.connected();
          assert.equal(await socket.peer(), shown);
        });

        it("TCP Fast Open: the sendto() that connects", async () => {
          await using sockets = await world().net.sockets();
          const socket = await sockets.open(stream);
          await socket.fastOpen("first", address);
          assert.match((await socket.receive()).server, /^[ab]$/);
          assert.equal(await socket.peer(), shown);
        });
      }

      it("connected UDP: getpeername and the answer's sender are the VIP", async () => {
        await using sockets = await world().net.sockets();
        const socket = await sockets.open(datagram);
        await socket.connect(address);
        assert.equal(await socket.peer(), shown);
        const { server, text, from } = await socket.ask("hello");
        assert.match(server, /^[ab]$/);
        assert.deepEqual({ text, from }, { text: "hello", from: shown });
      });

      it("UDP without connecting: the answer comes from the VIP", async () => {
        await using sockets = await world().net.sockets();
        const socket = await sockets.open(datagram);
        const { server, text, from } = await socket.ask("hello", address);
        assert.match(server, /^[ab]$/);
        assert.deepEqual({ text, from }, { text: "hello", from: shown });
        await assert.rejects(socket.peer(), { code: "ENOTCONN" });
      });
    });
  }

  describe("MPTCP", () => {
    for (const [kind, address] of [["mptcp4", vip4], ["mptcp6", vip6]] as const) {
      it(`reaches an endpoint: ${address}`, async (t) => {
        await using sockets = await world().net.sockets();
        const socket = await sockets.open(kind).catch((error) => {
          if (!["EPROTONOSUPPORT", "ENOPROTOOPT"].includes(error.code)) throw error;
        });
        if (!socket) return console.log(`not tried, for this kernel has no MPTCP: ${t.name}`);
        await socket.connect(address);
        assert.match((await socket.receive()).server, /^[ab]$/);
      });
    }
  });

  describe("cgroups", () => {
    it("what runs in a cgroup below is balanced too", async () => {
      const { net } = world();
      await using below = createCgroup(net.cgroup.path, "below");
      await using sockets = await net.sockets({ ...net.client, cgroup: below.path });
      const socket = await sockets.open("tcp4");
      await socket.connect(vip4);
      assert.match((await socket.receive()).server, /^[ab]$/);
    });

    it("what runs elsewhere is left alone", async () => {
      const { net } = world();
      await using sockets = await net.sockets({ ...net.client, cgroup: net.aside.path });
      const stream = await sockets.open("tcp4", 300);
      // The packets go where the routes lead: nowhere.
      await assert.rejects(stream.connect(vip4), { code: "EINPROGRESS" });
      const datagrams = await sockets.open("udp6", 300);
      await assert.rejects(datagrams.ask("hello", vip6), { code: "EAGAIN" });
    });
  });

  it("an endpoint's own address is left alone", async () => {
    const { net } = world();
    await using sockets = await net.sockets();
    const socket = await sockets.open("tcp4");
    await socket.connect(at(net.servers.d.v4, 8080));
    assert.equal((await socket.receive()).server, "d");
    assert.equal(await socket.peer(), at(net.servers.d.v4, 8080));
  });
});
