/** A cluster's policy, from the control plane to the kernel. */

import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { at, createControlPlane, createTestNet, describeKernel, flawless, startAgent } from "../kit/mod.ts";
import { tellMesh, type ToldMesh } from "./_told_mesh.ts";

/** envoy.config.cluster.v3.Cluster.LbPolicy */
const lbPolicy = { roundRobin: 0, leastRequest: 1, ringHash: 2, random: 3, maglev: 5 } as const;
type Policy = keyof typeof lbPolicy;

const policies = Object.keys(lbPolicy) as Policy[];
const vipsOf = (policy: Policy) => {
  const number = policies.indexOf(policy) + 1;
  return { tcp4: `10.96.0.${number}`, tcp6: `fd96::${number}` };
};

const mesh: ToldMesh = Object.fromEntries(policies.map((policy) => [policy, {
  vips: Object.values(vipsOf(policy)),
  members: policy === "leastRequest" ? ["a", "b"] : ["a", "b", "c", "d"],
  cluster: {
    lb_policy: lbPolicy[policy],
    // So many that both are among them.
    ...policy === "leastRequest" && { least_request_lb_config: { choice_count: { value: 32 } } },
  },
}]));

describeKernel("a cluster's policy", () => {
  it("is how its endpoints are chosen, over both families; nothing of it is left to say", async () => {
    await using stack = new AsyncDisposableStack();
    const net = stack.use(await createTestNet());
    const plane = stack.use(await createControlPlane({ listen: `unix:/tmp/${net.id}-xds.sock` }));
    tellMesh(plane, "ads", net.servers, mesh);
    const agent = stack.use(
      await startAgent(net, { xds: { target: plane.target, mode: "ads" }, name: "chosen" }),
    );
    stack.defer(plane.stop);

    const spread = async (policy: Policy, kind: "tcp4" | "tcp6", count: number) =>
      flawless(
        await net.hammer({ kind, targets: [at(vipsOf(policy)[kind], 80)], count }),
      ).servers;
    const sockets = stack.use(await net.sockets());
    for (const kind of ["tcp4", "tcp6"] as const) {
      assert.deepEqual(await spread("roundRobin", kind, 40), { a: 10, b: 10, c: 10, d: 10 });
      assert.equal(Object.keys(await spread("random", kind, 60)).length, 4);
      for (const policy of ["ringHash", "maglev"] as const) {
        assert.equal(Object.keys(await spread(policy, kind, 60)).length, 1, policy);
      }
      const held = await sockets.openMany(kind, 8, at(vipsOf("leastRequest")[kind], 80));
      const servers = await Promise.all(held.sockets.map(async (socket) => (await socket.ask("who")).server));
      assert.deepEqual(servers.toSorted(), [..."aaaabbbb"]);
    }
    const { warnings } = await agent.status();
    assert.deepEqual(warnings.filter((line) => /honoured/.test(line)), []);
  });
});
