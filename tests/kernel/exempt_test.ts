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
import { createTestNet, describeKernel, patience, startAgent } from "../kit/mod.ts";

const text = {
  encode: (text: string) => new TextEncoder().encode(text),
  decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
};

/** A VIP that is an address of the same host, with the endpoint beside it: who is not balanced reaches the VIP itself. */
const worlds = [
  { family: AF_INET, vip: "127.77.0.1", endpoint: "127.77.0.2" },
  { family: AF_INET6, vip: "::1", endpoint: "::1" },
] as const;

describeKernel("sockets that the agent opened for itself are never rewritten", () => {
  for (const { family, vip, endpoint } of worlds) {
    for (const type of [SOCK_STREAM, SOCK_DGRAM] as const) {
      it(`${type === SOCK_STREAM ? "TCP" : "UDP"} to ${vip}`, async () => {
        await using net = await createTestNet();
        const itself = { name: "itself", v4: "127.77.0.2", v6: "::1" };
        await using agent = await startAgent(net, {
          services: { web: { vips: [vip], ports: { 80: 8080 }, members: { itself: {} } } },
          addresses: { itself },
        });
        using stack = new DisposableStack();
        const shim = stack.use(openShim());
        const close = (fd: number) => stack.defer(() => closeFd(shim, fd));
        const netnsFd = createNetns(shim);
        close(netnsFd);
        const cgroupFd = openDirectory(shim, net.cgroup.path);
        close(cgroupFd);
        const open = (inCgroup: boolean) =>
          stack.use(openSocket(shim, {
            domain: family,
            type,
            netnsFd,
            timeoutMs: patience(2000),
            ...inCgroup ? { cgroupFd } : {},
          }));
        const at = (address: string, port: number): SocketAddress => ({
          address: addressToBytes(address),
          port,
        });
        const listen = (address: string, port: number) => {
          const socket = open(false);
          socket.bind(at(address, port));
          if (type === SOCK_STREAM) socket.listen();
          return socket;
        };
        const listeners = { vip: listen(vip, 80), endpoint: listen(endpoint, 8080) };
        const name = new HashMap(shim, openPin(shim, `${pinPaths(agent.pinRoot).sockets}/exempt_sockets`)!, {
          name: "exempt_sockets",
          key: u32,
          value: u32,
        });
        stack.use(name);

        const reaches = (client: Socket, listener: Socket, question: string): string => {
          if (type === SOCK_DGRAM) return text.decode(listener.receive().bytes);
          using accepted = listener.accept();
          client.send(text.encode(question));
          return text.decode(accepted.receive().bytes);
        };
        const ordinary = open(true);
        ordinary.connect(at(vip, 80));
        if (type === SOCK_DGRAM) ordinary.send(text.encode("ordinary"));
        assert.equal(reaches(ordinary, listeners.endpoint, "ordinary"), "ordinary");

        const exempt = open(true);
        name.update(exempt.fd, 1);
        exempt.connect(at(vip, 80));
        if (type === SOCK_DGRAM) exempt.send(text.encode("exempt"));
        assert.equal(reaches(exempt, listeners.vip, "exempt"), "exempt");
        assert.deepEqual(exempt.peer(), at(vip, 80));
        assert.ok((await agent.status()).counters.exempt >= 1);

        if (type === SOCK_DGRAM) {
          const unconnected = open(true);
          name.update(unconnected.fd, 1);
          unconnected.send(text.encode("unconnected"), at(vip, 80));
          assert.equal(reaches(unconnected, listeners.vip, "unconnected"), "unconnected");
        }
      });
    }
  }
});
