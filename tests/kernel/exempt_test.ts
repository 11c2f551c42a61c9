import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  AF_INET,
  AF_INET6,
  closeFd,
  createNetns,
  HashMap,
  openDirectory,
  openPin,
  openShim,
  openSocket,
  SOCK_DGRAM,
  SOCK_STREAM,
  type Socket,
  type SocketAddress,
  u32,
} from "../../ffi/mod.ts";
import { pinPaths } from "../../src/dataplane/mod.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import { describeKernel, patience, useWorld } from "../kit/mod.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** VIPs that are addresses of the client's own host, with the endpoint beside them: who is not balanced reaches the VIP itself. */
const vips = { 4: "127.77.0.1", 6: "::1" };
const itself = { name: "itself", v4: "127.77.0.2", v6: "::1" };

const at = (address: string, port: number): SocketAddress => ({ address: addressToBytes(address), port });

describeKernel("sockets that the agent opened for itself are never rewritten", () => {
  const world = useWorld({
    services: { web: { vips: Object.values(vips), ports: { 80: 8080 }, members: { itself: {} } } },
    addresses: { itself },
  });

  for (const family of [4, 6] as const) {
    for (const type of [SOCK_STREAM, SOCK_DGRAM] as const) {
      const isStream = type === SOCK_STREAM;

      it(`${isStream ? "TCP" : "UDP"} over IPv${family}`, async () => {
        const { net, agent } = world();
        const vip = vips[family];
        const { exempt: before } = (await agent.status()).counters;
        using stack = new DisposableStack();
        const shim = stack.use(openShim());
        const netnsFd = stack.adopt(createNetns(shim), (fd) => closeFd(shim, fd));
        const cgroupFd = stack.adopt(openDirectory(shim, net.cgroup.path), (fd) => closeFd(shim, fd));
        const open = (place: { netnsFd: number; cgroupFd?: number }) =>
          stack.use(openSocket(shim, {
            domain: family === 4 ? AF_INET : AF_INET6,
            type,
            timeoutMs: patience(2000),
            ...place,
          }));
        const listen = (address: string, port: number) => {
          const socket = open({ netnsFd });
          socket.bind(at(address, port));
          if (isStream) socket.listen();
          return socket;
        };
        const listeners = {
          vip: listen(vip, 80),
          endpoint: listen(family === 4 ? itself.v4 : itself.v6, 8080),
        };
        const exemptSockets = stack.use(
          new HashMap(shim, openPin(shim, `${pinPaths(agent.pinRoot).sockets}/exempt_sockets`)!, {
            name: "exempt_sockets",
            key: u32,
            value: u32,
          }),
        );
        const client = (isExempt: boolean) => {
          const socket = open({ netnsFd, cgroupFd });
          if (isExempt) exemptSockets.update(socket.fd, 1);
          return socket;
        };
        /** What the listener hears, after the client has sent it. */
        const heard = (client: Socket, said: string, listener: Socket, to?: SocketAddress): string => {
          client.send(encoder.encode(said), to);
          if (!isStream) return decoder.decode(listener.receive().bytes);
          using accepted = listener.accept();
          return decoder.decode(accepted.receive().bytes);
        };

        const ordinary = client(false);
        ordinary.connect(at(vip, 80));
        assert.equal(heard(ordinary, "ordinary", listeners.endpoint), "ordinary");

        const exempt = client(true);
        exempt.connect(at(vip, 80));
        assert.equal(heard(exempt, "exempt", listeners.vip), "exempt");
        assert.deepEqual(exempt.peer(), at(vip, 80));

        if (!isStream) {
          assert.equal(heard(client(true), "unconnected", listeners.vip, at(vip, 80)), "unconnected");
        }
        assert.equal((await agent.status()).counters.exempt - before, isStream ? 1 : 2);
      });
    }
  }
});
