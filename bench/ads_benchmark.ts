/** How fast what a control plane says is in the kernel: agent and control plane are processes of their own. */

import { openShim, type Shim } from "../ffi/mod.ts";
import { cgroup2Mount, removeLeftoverCgroups, sleep } from "../src/host/mod.ts";
import { addressToBytes } from "../src/mesh/mod.ts";
import { type DeltaDiscoveryResponse, deltaResponseType, type Resource } from "../src/xds/proto/mod.ts";
import {
  addressUrl,
  authorizationUrl,
  serviceResource,
  workloadResource,
} from "../tests/kit/workload_api.ts";
import { removeLeftoverPins } from "./agent.ts";
import { startAsking } from "./asked_agent.ts";
import type { Benchmark, Figure } from "./figure.ts";
import { type FollowedAgent, processUse, startFollowedAgent } from "./followed_agent.ts";
import { lookUntil } from "./look_until.ts";
import { addressOf, servicePort, targetPort, vipOf } from "./mesh.ts";
import { median, quantile } from "./statistics.ts";

/** Endpoints of each service. */
export const endpoints = 20;
const tcp = 6;

const perSecond = 1000;

/** Changes before any is measured: a new agent's code is not compiled yet, and that of a large mesh's has had more to do. */
const warmUps = { quick: 200, full: 2000 };

/** A change that takes longer never comes, in milliseconds. What takes almost as long is a figure, not the end of the run. */
const patienceMs = 60_000;

export const adsBenchmark: Benchmark = {
  name: "ads",
  title: "a control plane's word into the kernel: a whole mesh, one change, many changes a second",
  run: async ({ quick, say }) => {
    using shim = openShim();
    await removeLeftoverCgroups(cgroup2Mount(), "weft-bench");
    removeLeftoverPins(shim);
    const figures: Figure[] = [];
    const largest = quick ? 1000 : 5000;
    const medians: number[] = [];
    const colds = new Map<number, Cold>();
    for (const services of quick ? [5, 1000, 2000] : [5, 50, 500, 5000, 10_000]) {
      say(`${services} services, ${services * endpoints} workloads`);
      await using agent = await startFollowedAgent(shim);
      const cold = await tellAll(agent, services);
      colds.set(services, cold);
      figures.push(...coldFigures(services, cold));
      if (services > largest) continue;
      const latencies = await changeOne(
        agent,
        quick ? { warmUps: warmUps.quick, times: 100 } : { warmUps: warmUps.full, times: 1000 },
      );
      medians.push(median(latencies));
      figures.push(...changeFigures(services, latencies));
      if (services !== largest) continue;
      const seconds = quick ? 5 : 60;
      figures.push(...await manyChanges(agent, services, seconds, say));
      figures.push(await memoryLater(agent, services, seconds, say));
      figures.push(await waitsUnderChanges(agent, services, quick ? 5 : 20, 4 * seconds * perSecond, say));
    }
    figures.push(...twiceFigures(colds.get(largest)!, colds.get(2 * largest)!));
    figures.push(await waitsWhileCold(shim, largest, quick ? 1 : 3, say));
    figures.push({
      name: "one change: slowest median beside the fastest, of all sizes",
      value: Math.max(...medians) / Math.min(...medians),
      unit: "×",
      goal: 1.5,
    });
    return figures;
  },
};

const ip = (text: string) => addressToBytes(text).slice(12);

/** @param address which of the loopback's it has */
function workloadAt(n: number, service: number, address = n): Resource {
  const port = { service_port: servicePort, target_port: targetPort, app_protocol: 0 };
  return workloadResource(`Kubernetes//Pod/bench/s${service}-${n}`, {
    name: `s${service}-${n}`,
    namespace: "bench",
    addresses: [ip(addressOf(address))],
    node: `node-${n % 100}`,
    services: { [`bench/s${service}`]: { ports: [port] } },
  }, { version: n.toString(16).padStart(16, "0") });
}

function wholeMesh(services: number): Uint8Array {
  const workloads = Array.from(
    { length: services * endpoints },
    (_, n) => workloadAt(n, Math.floor(n / endpoints)),
  );
  const all = Array.from(
    { length: services },
    (_, s) =>
      serviceResource(`bench/s${s}`, { addresses: [{ network: "", address: ip(vipOf(s)) } as never] }),
  );
  return deltaResponseType.encode({ type_url: addressUrl, nonce: "all", resources: [...workloads, ...all] });
}

export interface Cold {
  readonly bytes: number;
  /** From the send to the last map write. */
  readonly totalMs: number;
  readonly decodeMs: number;
  readonly storeMs: number;
  readonly flushMs: number;
  /** The agent's memory before, and the most that it ever took. */
  readonly beforeMib: number;
  readonly mostMib: number;
}

/** Tells an agent everything, and waits until the kernel holds it. */
async function tellAll({ stream, status, pid }: FollowedAgent, services: number): Promise<Cold> {
  stream.sendDelta({ type_url: authorizationUrl, nonce: "none" });
  await stream.deltaRequest();
  const bytes = wholeMesh(services);
  const { mib: beforeMib } = processUse(pid);
  const start = Date.now();
  stream.send(bytes);
  const answer = await stream.deltaRequest(120_000);
  if (answer.error_detail) throw new Error(answer.error_detail.message);
  let now = await status();
  while (!now.ready) {
    // It says itself when it was done; asking takes its time.
    await sleep(100);
    now = await status();
  }
  const { decodeMs = NaN, storeMs = NaN } = now.controlPlane!.types[0];
  return {
    bytes: bytes.length,
    totalMs: Date.parse(now.lastFlush!.at) - start,
    decodeMs,
    storeMs,
    flushMs: now.lastFlush!.durationMs,
    beforeMib,
    mostMib: processUse(pid).mostMib,
  };
}

export function coldFigures(services: number, cold: Cold, what = "workloads"): Figure[] {
  const size = `${services} services, ${services * endpoints} ${what}`;
  const { totalMs, decodeMs, storeMs, flushMs, bytes, beforeMib, mostMib } = cold;
  return [
    {
      name: `${size}, cold: sent to last map write`,
      value: totalMs,
      unit: "ms",
      ...services === 5000 ? { goal: 1500 } : {},
      details: {
        "decode ms": decodeMs,
        "store ms": storeMs,
        "flush ms": flushMs,
        "on the way, planning and the rest ms": totalMs - decodeMs - storeMs - flushMs,
        MB: bytes / 1e6,
      },
    },
    {
      name: `${size}: the agent's resident memory at most`,
      value: mostMib,
      unit: "MiB",
      ...services === 5000 ? { goal: 300 } : {},
      details: { "before MiB": beforeMib },
    },
  ];
}

/** Twice the mesh beside the largest that the other figures are of. */
function twiceFigures(one: Cold, two: Cold): Figure[] {
  return [
    {
      name: "twice the mesh, cold, beside once",
      value: two.totalMs / one.totalMs,
      unit: "×",
      goal: 2.2,
      details: { "twice ms": two.totalMs, "once ms": one.totalMs },
    },
    {
      name: "twice the mesh, resident memory at most, beside once",
      value: two.mostMib / one.mostMib,
      unit: "×",
      goal: 2.2,
      details: { "twice MiB": two.mostMib, "once MiB": one.mostMib },
    },
  ];
}

/** Reads a service's number of endpoints in the kernel. */
export function endpointCounter(agent: FollowedAgent, service: number): () => number {
  const maps = agent.openMaps();
  const key = { address: addressToBytes(vipOf(service)), port: servicePort, protocol: tcp };
  return () => maps.services.lookup(maps.frontends.lookup(key)!.servicePort)!.tier.count;
}

/** Has one workload join service 1, which it is no member of at first, or leave it. */
interface Probe {
  /** @returns milliseconds from the send to the kernel */
  next(): Promise<number>;
  /** Has it leave if it has joined. */
  end(): Promise<void>;
}

/** @param send sends a response */
function createProbe(agent: FollowedAgent, send: (response: Partial<DeltaDiscoveryResponse>) => void): Probe {
  const count = endpointCounter(agent, 1);
  const without = count();
  const more = workloadAt(2 ** 20, 1);
  const probe: Probe = {
    end: async () => {
      if (count() !== without) await probe.next();
    },
    next: async () => {
      const before = count();
      const start = performance.now();
      send(before === without ? { resources: [more] } : { removed_resources: [more.name] });
      await lookUntil(() => count() !== before, patienceMs, () => neverCame(agent));
      return performance.now() - start;
    },
  };
  return probe;
}

async function neverCame({ status, pid }: FollowedAgent): Promise<Error> {
  const { flushes, controlPlane, lastFlush, maps } = await status();
  const state = JSON.stringify({
    flushes,
    lastFlush,
    types: controlPlane?.types,
    maps,
    use: processUse(pid),
  });
  return new Error(`a change did not come to the kernel in ${patienceMs / 1000} s; the agent: ${state}`);
}

/**
 * One change after another.
 *
 * @param count of changes that are measured, and of those before them; even: at the end the workload has left
 */
async function changeOne(
  agent: FollowedAgent,
  { warmUps, times }: { readonly warmUps: number; readonly times: number },
): Promise<number[]> {
  const { stream } = agent;
  const probe = createProbe(
    agent,
    (response) => stream.sendDelta({ type_url: addressUrl, nonce: "one", ...response }),
  );
  const latencies: number[] = [];
  for (let i = 0; i < warmUps; i++) {
    await probe.next();
    await stream.deltaRequest();
  }
  for (let i = 0; i < times; i++) {
    latencies.push(await probe.next());
    await stream.deltaRequest();
    await sleep(5);
  }
  return latencies;
}

export function changeFigures(
  services: number,
  latencies: readonly number[],
  what = "workloads",
): Figure[] {
  const workloads = services * endpoints;
  return [
    {
      name: `one of ${workloads} ${what} changes: sent to served, median`,
      value: median(latencies),
      unit: "ms",
      goal: 2,
      details: { changes: latencies.length, "least ms": Math.min(...latencies) },
    },
    {
      name: `one of ${workloads} ${what} changes: sent to served, p99`,
      value: quantile(latencies, 0.99),
      unit: "ms",
      goal: 10,
      details: { "most ms": Math.max(...latencies) },
    },
  ];
}

const rate = `${perSecond} changes a second`;

interface Changed {
  /** How long the changes that were looked at took to be served, in milliseconds. */
  readonly lags: readonly number[];
  readonly changes: number;
  readonly tookMs: number;
  /** The agent's resident memory at most, looked at each second, in MiB. */
  readonly mostMib: number;
}

/**
 * 1,000 changes a second, each a workload that moves to another address.
 *
 * @param from how many changes came before: no workload moves to where it was
 */
async function change(
  agent: FollowedAgent,
  services: number,
  seconds: number,
  from: number,
): Promise<Changed> {
  const { stream, pid } = agent;
  let mostMib = 0;
  const looking = setInterval(() => mostMib = Math.max(mostMib, processUse(pid).mib), 1000);
  using stack = new DisposableStack();
  stack.defer(() => clearInterval(looking));
  let sent = 0;
  let answered = 0;
  const send = (response: Partial<DeltaDiscoveryResponse>) => {
    stream.sendDelta({ type_url: addressUrl, nonce: `m${sent++}`, ...response });
  };
  const probe = createProbe(agent, send);
  const start = performance.now();
  const total = perSecond * seconds;
  const lags: number[] = [];
  let changes = 0;
  const probing = (async () => {
    while (changes < total) {
      lags.push(await probe.next());
      await sleep(100);
    }
    await probe.end();
  })();
  const answering = (async () => {
    while (changes < total || answered < sent) {
      await stream.deltaRequest(30_000);
      answered++;
    }
  })();
  while (changes < total) {
    const due = Math.min(total, Math.floor((performance.now() - start) * perSecond / 1000));
    for (; changes < due; changes++) {
      const number = from + changes;
      const n = number * 7919 % (services * endpoints);
      const moved = workloadAt(n, Math.floor(n / endpoints), (n + 1 + number) % 2 ** 17);
      send({ resources: [{ ...moved, version: `m${number}` }] });
    }
    await sleep(1);
  }
  await probing;
  await answering;
  return { lags, changes, tookMs: performance.now() - start, mostMib };
}

/** How far the kernel is behind. */
async function manyChanges(
  agent: FollowedAgent,
  services: number,
  seconds: number,
  say: (line: string) => void,
): Promise<Figure[]> {
  say(`${rate} for ${seconds} s`);
  const before = processUse(agent.pid);
  const { lags, changes, tookMs, mostMib } = await change(agent, services, seconds, 0);
  const after = processUse(agent.pid);
  return [
    {
      name: `${rate}: sent to served, most`,
      value: Math.max(...lags),
      unit: "ms",
      goal: 100,
      details: { "median ms": median(lags), samples: lags.length, changes },
    },
    {
      name: `${rate}: processor time`,
      value: (after.cpuMs - before.cpuMs) / tookMs * 100,
      unit: "%",
      goal: 100,
      details: {
        "waited for a processor that others had, %": (after.waitedMs - before.waitedMs) / tookMs * 100,
      },
    },
    {
      name: `${rate}: resident memory gained`,
      value: after.mib - before.mib,
      unit: "MiB",
      details: { "before MiB": before.mib, "after MiB": after.mib, "most MiB": mostMib },
    },
  ];
}

/**
 * What memory does once all has changed: each workload that did keeps the response that it came in, instead of its share of the first
 * one. Three times as long as it was changed before, of which the last third counts against the middle one.
 */
async function memoryLater(
  agent: FollowedAgent,
  services: number,
  seconds: number,
  say: (line: string) => void,
): Promise<Figure> {
  say(`${rate} for ${3 * seconds} s more: memory`);
  const minute = seconds * perSecond;
  await change(agent, services, seconds, minute);
  const middle = await change(agent, services, seconds, 2 * minute);
  const last = await change(agent, services, seconds, 3 * minute);
  return {
    name: `${rate}: resident memory at most, minute 4 beside minute 3`,
    value: last.mostMib / middle.mostMib,
    unit: "×",
    goal: 1.05,
    details: { "minute 4 MiB": last.mostMib, "minute 3 MiB": middle.mostMib, "seconds a minute": seconds },
  };
}

const waitGoal = 50;

/** How long others wait for the admin interface while a whole mesh arrives; it is asked without a pause. */
async function waitsWhileCold(
  shim: Shim,
  services: number,
  times: number,
  say: (line: string) => void,
): Promise<Figure> {
  const waits: number[] = [];
  const totals: number[] = [];
  for (let i = 0; i < times; i++) {
    say(`${services * endpoints} workloads, and status asked for without a pause, ${i + 1}`);
    await using agent = await startFollowedAgent(shim);
    await using asking = await startAsking(agent.socket, 0);
    totals.push((await tellAll(agent, services)).totalMs);
    waits.push(...await asking.end());
  }
  return {
    name: `${services * endpoints} workloads arrive: longest wait for status`,
    value: Math.max(...waits),
    unit: "ms",
    goal: waitGoal,
    details: {
      "median ms": median(waits),
      "p99 ms": quantile(waits, 0.99),
      answers: waits.length,
      "cold, so asked, ms": median(totals),
    },
  };
}

async function waitsUnderChanges(
  agent: FollowedAgent,
  services: number,
  seconds: number,
  from: number,
  say: (line: string) => void,
): Promise<Figure> {
  say(`${rate}, and status asked for ten times a second, for ${seconds} s`);
  await using asking = await startAsking(agent.socket, 100);
  await change(agent, services, seconds, from);
  const waits = await asking.end();
  return {
    name: `${rate}: longest wait for status`,
    value: Math.max(...waits),
    unit: "ms",
    goal: waitGoal,
    details: { "median ms": median(waits), answers: waits.length },
  };
}
