/** The agent's own connection to a control plane whose address is a VIP of the mesh that it tells. */

import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { openShim } from "../../ffi/mod.ts";
import { createDial } from "../../src/agent/dial.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import {
  addressUrl,
  authorizationUrl,
  type ControlPlane,
  createControlPlane,
  createTestNet,
  describeKernel,
  eventually,
  serviceResource,
  startAgent,
  workloadResource,
} from "../kit/mod.ts";

/** An address of this host: who is not balanced reaches the control plane itself. */
const vip = "127.77.0.1";
/** Where an endpoint is that has gone: an address of this host too, where nobody listens. */
const gone = "127.77.0.2";

const istiod = "istio-system/istiod.istio-system.svc.cluster.local";

/** Waits for a stream, and tells it where the control plane's own service is served, if anywhere. */
async function tell(plane: ControlPlane, endpoint: string | undefined) {
  const stream = await plane.stream(20_000);
  await stream.deltaRequest();
  await stream.deltaRequest();
  const port = Number(plane.target.split(":")[1]);
  const ports = [{ service_port: port, target_port: port, app_protocol: 0 }];
  const bytes = (address: string) => addressToBytes(address).slice(12);
  const resources = [
    serviceResource(istiod, { addresses: [{ network: "", address: bytes(vip) } as never], ports }),
    ...endpoint === undefined
      ? []
      : [workloadResource("istiod-1", { addresses: [bytes(endpoint)], services: { [istiod]: { ports } } })],
  ];
  stream.sendDelta({ type_url: addressUrl, nonce: "addresses", resources });
  stream.sendDelta({ type_url: authorizationUrl, nonce: "authorizations" });
  await stream.deltaRequest();
  await stream.deltaRequest();
  return stream;
}

describeKernel("the agent's own connection to the control plane", () => {
  for (
    const [what, endpoint, errno] of [
      ["has no endpoint", undefined, "EHOSTUNREACH"],
      ["has only one that does not answer", gone, "ECONNREFUSED"],
    ] as const
  ) {
    it(`is not balanced: a control plane at a VIP that ${what} is found again, and heals the mesh`, async () => {
      await using net = await createTestNet();
      await using plane = await createControlPlane({ listen: `${vip}:0` });
      // Agents live aside: here that is what is balanced.
      const starting = startAgent(net, {
        xds: { target: plane.target, mode: "workload" },
        cgroup: net.aside.path,
      });
      starting.catch(() => {}); // told when it is awaited
      const first = await tell(plane, endpoint);
      await using agent = await starting;
      await using _ = { [Symbol.asyncDispose]: () => Promise.resolve(plane.stop()) };

      await using sockets = await net.sockets({ cgroup: net.aside.path });
      const connect = async () => {
        const socket = await sockets.open("tcp4");
        await socket.connect(plane.target).finally(() => socket.close());
      };
      await assert.rejects(connect(), { code: errno });
      const { counters, controlPlane } = await agent.status();
      first.fail();
      // What the mesh says of the control plane is still wrong when the agent comes back.
      await tell(plane, vip);
      await eventually("others reach it too", () => connect().then(() => true, () => false));
      const after = await agent.status();
      assert.deepEqual(after.errors, []);
      assert.equal(after.controlPlane!.streams, controlPlane!.streams + 1);
      assert.ok(after.counters.exempt > counters.exempt);

      plane.stop();
      await eventually("it has gone", async () => !(await agent.status()).controlPlane!.connected);
      await plane.start();
      await tell(plane, vip);
    });
  }

  it("takes whichever address of a name answers, and remembers them while the name cannot be told", async () => {
    await using plane = await createControlPlane({ listen: `${vip}:0` });
    using shim = openShim();
    const marked: number[] = [];
    const port = Number(plane.target.split(":")[1]);
    const target = { kind: "tcp", host: "istiod.test", port, family: 0, loopback: false } as const;
    let answer = (): Promise<string[]> => Promise.resolve([gone, "::1", vip]);
    const dial = createDial(shim, (fd) => marked.push(fd), () => answer());
    const reach = async () => {
      const socket = await dial(target, AbortSignal.timeout(5000));
      assert.equal(socket.remoteAddress, vip);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.destroy();
      await closed;
    };
    await reach();
    assert.equal(marked.length, 3);
    answer = () => Promise.reject(new Error("no resolver answers"));
    await reach();
    answer = () => Promise.resolve([]);
    await reach();
    const strange = dial({ ...target, host: "other.test" }, AbortSignal.timeout(5000));
    await assert.rejects(strange, /there is no host other\.test/);
    answer = () => Promise.resolve([gone]);
    await assert.rejects(
      dial(target, AbortSignal.timeout(5000)),
      new RegExp(`connect ECONNREFUSED ${gone}:${port}`),
    );
    plane.stop();
  });
});
