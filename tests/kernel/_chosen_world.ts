/** Service ports whose endpoints are chosen in some way, served by a data path in this process. */

import assert from "node:assert/strict";
import { openShim, workload } from "../../ffi/mod.ts";
import type { DesiredService } from "../../src/dataplane/mod.ts";
import { type Choice, familyOf } from "../../src/mesh/mod.ts";
import { createTestNet, type TestNet } from "../kit/mod.ts";
import { createDatapathPlace } from "./_datapath.ts";

export const port = 80;

/** How many endpoints there may be until the maps grow. */
const smallMap = 64;

export type Weights = Readonly<Record<string, number>>;

/** One service port on one VIP, whose endpoints are these servers. */
function desired(net: TestNet, vip: string, weights: Weights, choice: Choice): DesiredService {
  const service = `test/${vip}`;
  const family = familyOf(vip);
  const key = `${service}|${port}|${family}`;
  const endpoints = Object.entries(weights).map(([server, weight]) => ({
    key: server,
    uid: server,
    address: family === 4 ? net.servers[server].v4 : net.servers[server].v6,
    port: 8080,
    weight,
  }));
  return {
    service,
    servicePorts: [{
      key,
      service,
      port,
      family,
      mapped: 1,
      tiers: [{ rank: 0, endpoints, portless: 0 }],
      choice,
      connectionLimit: null,
    }],
    frontends: ([6, 17] as const).map((protocol) => (
      { address: vip, port, protocol, target: { kind: "servicePort", key } }
    )),
    excluded: [],
    left: null,
  };
}

export interface ChosenWorld extends AsyncDisposable {
  readonly net: TestNet;
  readonly serve: (vip: string, weights: Weights, choice: Choice) => Promise<void>;
  /** As when the agent is started again. */
  readonly takeOver: () => Promise<void>;
  /** Makes the maps of endpoints grow. */
  readonly grow: () => Promise<void>;
  /** Server → how many connections the kernel counts to it through a VIP. */
  readonly connections: (vip: string) => Record<string, number>;
  /** Server → its index in map endpoints. */
  readonly indexes: (vip: string) => Record<string, number>;
  /** Waits until what earlier calls released is free again. */
  readonly settle: () => Promise<void>;
  /** What map services has for a VIP. */
  readonly words: (vip: string) => { id: number; value: workload.ServicePort };
}

/** The data path of an agent, in this process. */
export async function createChosenWorld(): Promise<ChosenWorld> {
  await using stack = new AsyncDisposableStack();
  const shim = stack.use(openShim());
  const servers = Object.fromEntries([..."abcd"].map((name) => [name, [8080]]));
  const net = stack.use(await createTestNet({ servers }));
  const { open } = stack.use(await createDatapathPlace(shim, net, "chosen", { endpoints: smallMap }));
  let datapath = open();
  stack.defer(async () => {
    await datapath.settle();
    datapath.close();
  });
  const served = new Map<string, DesiredService>();
  const serve = async (vip: string, weights: Weights, choice: Choice) => {
    const service = desired(net, vip, weights, choice);
    served.set(service.service, service);
    await datapath.flush([[service.service, service]]);
  };
  await serve("10.96.9.9", { a: 1 }, { kind: "random" });
  await datapath.attach();
  const portOf = (vip: string) => {
    const [port] = datapath.applied.services.get(`test/${vip}`)!.servicePorts.values();
    return port;
  };
  const moved = stack.move();
  return {
    net,
    serve,
    takeOver: async () => {
      await datapath.settle();
      datapath.close();
      datapath = open();
      await datapath.flush(served);
      await datapath.attach();
    },
    grow: async () => {
      const service = desired(net, "10.96.9.8", { a: 1 }, { kind: "random" });
      const [servicePort] = service.servicePorts;
      const [tier] = servicePort.tiers;
      const endpoints = Array.from({ length: smallMap }, (_, i) => (
        { ...tier.endpoints[0], key: `a${i}`, port: 9000 + i }
      ));
      const many = { ...service, servicePorts: [{ ...servicePort, tiers: [{ ...tier, endpoints }] }] };
      served.set(many.service, many);
      const { grownTo } = await datapath.flush([[many.service, many]]);
      assert.ok(grownTo, "the maps have grown");
    },
    connections: (vip) =>
      Object.fromEntries(
        [...portOf(vip).tiers.values()].flatMap(({ rows }) => rows).map(({ uid, index, generation }) => {
          const word = datapath.maps!.endpointConnections.lookup(index);
          const count = word?.generation === generation ? word.active - workload.bound.NO_CONNECTIONS : 0;
          return [uid, count];
        }),
      ),
    indexes: (vip) =>
      Object.fromEntries(
        [...portOf(vip).tiers.values()].flatMap(({ rows }) => rows).map((
          row,
        ) => [row.uid, row.index]),
      ),
    settle: () => datapath.settle(),
    words: (vip) => {
      const { id } = portOf(vip);
      return { id, value: datapath.maps!.services.lookup(id)! };
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
