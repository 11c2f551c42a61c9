/** max_connections of a cluster, from the control plane to the kernel. */

import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { defaultSocketSizes, type SocketSizes } from "../../src/dataplane/mod.ts";
import { discoveryResponseType } from "../../src/xds/proto/mod.ts";
import {
  at,
  type ControlPlane,
  createControlPlane,
  createTestNet,
  describeKernel,
  eventually,
  type RemoteSocket,
  serverAt,
  startAgent,
  type TestAgent,
  type TestNet,
} from "../kit/mod.ts";
import { assignment, cluster, listener, type ShortType, tcp, urls } from "../unit/_ads_messages.ts";

const vips = { tcp4: "10.96.0.1", tcp6: "fd96::1" } as const;

/** A control plane with one cluster behind two listeners, v4 and v6. */
function limitingPlane(plane: ControlPlane, { servers }: TestNet) {
  let most: number | undefined;
  let sent = 0;
  let push = (_type: ShortType) => {};
  const resources = {
    cds: () => [
      cluster(
        "web",
        {
          lb_policy: 0,
          ...most === undefined
            ? {}
            : { circuit_breakers: { thresholds: [{ max_connections: { value: most } }] } },
        },
      ),
    ],
    eds: () => [assignment("web", serverAt(servers.a, 4), serverAt(servers.a, 6))],
    lds: () => [
      listener("four", at(vips.tcp4, 80), [tcp("web")]),
      listener("six", at(vips.tcp6, 80), [tcp("web")]),
    ],
    rds: () => [],
  };

  async function serve(): Promise<void> {
    for (;;) {
      const stream = await plane.stream(60_000);
      push = (type) => {
        const [type_url, version] = [urls[type], `${++sent}`];
        stream.send(
          discoveryResponseType.encode({
            type_url,
            version_info: version,
            nonce: version,
            resources: resources[type](),
          }),
        );
      };
      const known = new Map<string, string>();
      const answer = async () => {
        for (;;) {
          const { type_url, resource_names, error_detail } = await stream.sotwRequest(60_000);
          assert.equal(error_detail?.message, undefined);
          const names = resource_names.join();
          const type = (Object.keys(urls) as ShortType[]).find((type) => urls[type] === type_url);
          if (type && known.get(type_url) !== names) push(type);
          known.set(type_url, names);
        }
      };
      await Promise.race([answer().catch(() => {}), stream.ended]);
    }
  }

  // It ends with the control plane.
  serve().catch(() => {});
  return {
    limit: (connections: number | undefined) => {
      most = connections;
      push("cds");
    },
  };
}

describeKernel("max_connections of a cluster", () => {
  const refused = { code: "ECONNREFUSED" };

  /** Runs a test beside an agent that follows a control plane. */
  async function withWorld(
    most: number,
    test: (world: {
      net: TestNet;
      agent: TestAgent;
      start: (...args: string[]) => Promise<TestAgent>;
      limit: (connections: number | undefined) => void;
      connect: (kind?: "tcp4" | "tcp6") => Promise<RemoteSocket>;
    }) => Promise<void>,
  ): Promise<void> {
    await using stack = new AsyncDisposableStack();
    const net = stack.use(await createTestNet());
    const plane = stack.use(await createControlPlane({ listen: `unix:/tmp/${net.id}-xds.sock` }));
    const { limit } = limitingPlane(plane, net);
    limit(most);
    const start = async (...args: string[]) =>
      stack.use(await startAgent(net, { xds: { target: plane.target, mode: "ads" }, name: "limited", args }));
    const agent = await start();
    stack.defer(plane.stop);
    const sockets = stack.use(await net.sockets());
    const connect = async (kind: "tcp4" | "tcp6" = "tcp4") => {
      const socket = await sockets.open(kind);
      await socket.connect(at(vips[kind], 80));
      return socket;
    };
    await test({ net, agent, start, limit, connect });
  }

  it("lets as many through over both families, refuses the next, and says whose limit it was", async () => {
    await withWorld(3, async ({ agent, connect }) => {
      const open = [await connect("tcp4"), await connect("tcp6"), await connect("tcp4")];
      const before = (await agent.status()).counters;
      await assert.rejects(connect("tcp4"), refused);
      await assert.rejects(connect("tcp6"), refused);
      const after = (await agent.status()).counters;
      assert.equal(after.tcp_over_limit - before.tcp_over_limit, 2);
      await agent.logged(({ msg }) => msg === "refused: max_connections 3 of cluster web reached");
      await open[1].close();
      await eventually("there is a place again", () => connect("tcp6").then(() => true, () => false));
      await assert.rejects(connect("tcp4"), refused);
      const { warnings } = await agent.status();
      assert.ok(!warnings.some((line) => line.includes("max_connections")), warnings.join("\n"));
    });
  });

  it("follows the control plane: raised, lowered, taken away and there again, its connections counted all the while", async () => {
    await withWorld(2, async ({ agent, connect, limit }) => {
      const follow = async (most: number | undefined) => {
        const { flushes } = await agent.status();
        limit(most);
        await eventually("it is in the kernel", async () => (await agent.status()).flushes > flushes);
      };
      const open = [await connect(), await connect()];
      await assert.rejects(connect(), refused);
      await follow(3);
      open.push(await connect());
      await assert.rejects(connect(), refused);
      await follow(1);
      await open.pop()!.close();
      await assert.rejects(connect(), refused);
      await follow(undefined);
      for (let i = 0; i < 5; i++) await (await connect()).close();
      await follow(3);
      await connect();
      await assert.rejects(connect(), refused);
    });
  });

  it("is told by services, endpoints and explain, with what counts under it: why a connect is refused", async () => {
    await withWorld(3, async ({ agent, connect }) => {
      const shown = async (...args: string[]) => {
        const { code, stdout, stderr } = await agent.weft(...args);
        assert.equal(code, 0, stderr);
        return stdout;
      };
      const open = [await connect("tcp4"), await connect("tcp6")];
      const to = at(vips.tcp4, 80);
      assert.match(
        await shown("explain", to),
        /^outcome +endpoints\n(.+\n)+limit +2 of 3 connections to cluster web\n/,
      );
      open.push(await connect("tcp4"));
      await assert.rejects(connect("tcp4"), refused);

      const limit = { lbPolicy: "ROUND_ROBIN", connectionLimit: { cluster: "web", max: 3, active: 3 } };
      const answer = JSON.parse(await shown("explain", to, "-o", "json"));
      const { outcome, reason, lbPolicy, connectionLimit } = answer;
      assert.deepEqual({ lbPolicy, connectionLimit }, limit);
      assert.deepEqual([outcome, answer.refused], ["none", 1]);
      assert.equal(reason, "max_connections 3 of cluster web reached: connect fails with ECONNREFUSED");
      const words = await shown("explain", to);
      for (const line of [/^policy +ROUND_ROBIN$/m, /^limit +3 of 3 .*web$/m, /^refused +1 so far$/m]) {
        assert.match(words, line);
      }

      const [service, ...others] = JSON.parse(await shown("services", "-o", "json"));
      assert.deepEqual([service.ports, others], [[{ port: 80, targetPort: 0, ...limit }], []]);
      const [header, row] = (await shown("services")).split("\n");
      for (const [title, text] of [["POLICY", "ROUND_ROBIN"], ["LIMIT", "3 of 3"]]) {
        assert.equal(row.indexOf(text), header.indexOf(title), `${header}\n${row}`);
      }

      const endpoints = JSON.parse(await shown("endpoints", service.service, "-o", "json"));
      assert.deepEqual(endpoints.ports, [{ port: 80, ...limit }]);
      const [line] = (await shown("endpoints", service.service)).split("\n");
      assert.equal(line, "port 80: ROUND_ROBIN, 3 of 3 connections to cluster web");
    });
  });

  it("an agent that was killed finds its limits, and what counts under them, again", async () => {
    await withWorld(3, async ({ agent, start, connect }) => {
      const open = [await connect("tcp4"), await connect("tcp6"), await connect("tcp4")];
      await agent.end("SIGKILL");
      await assert.rejects(connect(), refused);
      await start();
      await assert.rejects(connect(), refused);
      await open[0].close();
      await eventually("there is a place again", () => connect().then(() => true, () => false));
      await assert.rejects(connect("tcp6"), refused);
    });
  });

  it("an agent that is told another size of the maps says that they keep theirs", async () => {
    await withWorld(3, async ({ agent, start, connect }) => {
      await connect();
      await agent.end("SIGKILL");
      const next = await start("--max-connection-limits", "1000");
      const { have, wanted } = await next.logged(({ msg }) => /per-socket maps keep the size/.test(msg));
      const sizes = [have, wanted].map((sizes) => (sizes as SocketSizes).connectionLimits);
      assert.deepEqual(sizes, [defaultSocketSizes.connectionLimits, 1000]);
      const limits = (await next.status()).maps.filter(({ name }) =>
        /^(connection_limits|active)/.test(name)
      );
      assert.deepEqual(limits.map(({ used, size }) => [used, size]), [[1, sizes[0]], [1, sizes[0]]]);
    });
  });
});
