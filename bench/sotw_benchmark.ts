/** As bench ads, in mode ads: the state of the world, with clusters, their endpoints and a listener each. */

import { openShim } from "../ffi/mod.ts";
import { cgroup2Mount, removeLeftoverCgroups, sleep } from "../src/host/mod.ts";
import { type Any, discoveryResponseType } from "../src/xds/proto/mod.ts";
import {
  assignment,
  cluster,
  listener,
  locality,
  type ShortType,
  tcp,
  urls,
} from "../tests/unit/_ads_messages.ts";
import { changeFigures, type Cold, coldFigures, endpointCounter, endpoints } from "./ads_benchmark.ts";
import { removeLeftoverPins } from "./agent.ts";
import type { Benchmark, Figure } from "./figure.ts";
import { type FollowedAgent, processUse, startFollowedAgent } from "./followed_agent.ts";
import { lookUntil } from "./look_until.ts";
import { addressOf, servicePort, targetPort, vipOf } from "./mesh.ts";

export const sotwBenchmark: Benchmark = {
  name: "sotw",
  title:
    "bench ads in mode ads: a whole mesh of clusters, endpoints and listeners, and one endpoint's change",
  run: async ({ quick, say }) => {
    using shim = openShim();
    await removeLeftoverCgroups(cgroup2Mount(), "weft-bench");
    removeLeftoverPins(shim);
    const figures: Figure[] = [];
    for (const services of quick ? [5, 1000] : [5, 500, 5000]) {
      say(`${services} clusters, ${services * endpoints} endpoints`);
      await using agent = await startFollowedAgent(shim, "ads");
      figures.push(...coldFigures(services, await tellAll(agent, services), "endpoints"));
      figures.push(...changeFigures(services, await changeOne(agent, quick ? 50 : 500), "endpoints"));
    }
    return figures;
  },
};

const name = (service: number) => `outbound|${servicePort}||s${service}.bench.svc.cluster.local`;

/** @param more endpoints than the others have */
function endpointsOf(service: number, more = 0): Any {
  const all = Array.from(
    { length: endpoints + more },
    (_, i) => `${addressOf(i < endpoints ? service * endpoints + i : 2 ** 20 + i)}:${targetPort}`,
  );
  return assignment(name(service), locality(all));
}

let nonces = 0;

function response(type: ShortType, resources: readonly Any[]): Uint8Array {
  const nonce = `${++nonces}`;
  return discoveryResponseType.encode({ type_url: urls[type], version_info: nonce, nonce, resources });
}

/** Tells an agent everything, as it asks, and waits until the kernel holds it. */
async function tellAll({ stream, status, pid }: FollowedAgent, services: number): Promise<Cold> {
  const all = Array.from({ length: services }, (_, s) => s);
  const messages: Partial<Record<ShortType, Uint8Array>> = {
    cds: response("cds", all.map((s) => cluster(name(s)))),
    eds: response("eds", all.map((s) => endpointsOf(s))),
    lds: response("lds", all.map((s) => listener(name(s), `${vipOf(s)}:${servicePort}`, [tcp(name(s))]))),
  };
  const bytes = Object.values(messages).reduce((sum, { length }) => sum + length, 0);
  const { mib: beforeMib } = processUse(pid);
  const start = Date.now();
  const answered = new Set<ShortType>();
  while (answered.size < 3) {
    const request = await stream.sotwRequest(120_000);
    if (request.error_detail) throw new Error(request.error_detail.message);
    const type = (Object.keys(urls) as ShortType[]).find((type) => urls[type] === request.type_url)!;
    const message = messages[type];
    if (message) stream.send(message);
    else answered.add(type);
    delete messages[type];
  }
  let now = await status();
  while (!now.ready) {
    await sleep(100);
    now = await status();
  }
  const sum = (part: "decodeMs" | "storeMs") =>
    now.controlPlane!.types.reduce((sum, type) => sum + (type[part] ?? 0), 0);
  return {
    bytes,
    totalMs: Date.parse(now.lastFlush!.at) - start,
    decodeMs: sum("decodeMs"),
    storeMs: sum("storeMs"),
    flushMs: now.lastFlush!.durationMs,
    beforeMib,
    mostMib: processUse(pid).mostMib,
  };
}

/** One service gets an endpoint more, or loses it again: the whole assignment of that cluster comes, as istiod sends it. */
async function changeOne(agent: FollowedAgent, times: number): Promise<number[]> {
  const { stream } = agent;
  const count = endpointCounter(agent, 1);
  const without = count();
  const latencies: number[] = [];
  for (let i = 0; i < 2 * times; i++) {
    const before = count();
    const message = response("eds", [endpointsOf(1, before === without ? 1 : 0)]);
    const start = performance.now();
    stream.send(message);
    await lookUntil(() => count() !== before, 10_000, () => new Error("the change never came to the kernel"));
    latencies.push(performance.now() - start);
    await stream.sotwRequest();
    await sleep(5);
  }
  return latencies;
}
