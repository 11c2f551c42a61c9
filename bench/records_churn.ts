/** Connections while the records behind them grow, shrink and move. */

import type { Shim } from "../ffi/mod.ts";
import { cgroup2Mount, createCgroup, inCgroup, ownedName } from "../src/host/mod.ts";
import { editSnapshot, emptySnapshot, replaceMesh, type Snapshot } from "../src/mesh/mod.ts";
import { type BenchAgent, startAgent } from "./agent.ts";
import type { BenchmarkOptions, Figure } from "./figure.ts";
import { addressOf, benchMesh, benchWorkload, servicePort, targetPort, vipOf } from "./mesh.ts";
import { buildProgram } from "./tools.ts";

const services = 20;
const perSecond = 2000;
/** A service has between these many endpoints: some twenty size classes. */
const fewest = 1, most = 400;
/** uint64 start, uint32 VIP, endpoint, error, 0: bench/churn.c. */
const recordBytes = 24;

/** Where each address belongs and when it went, in ms since the epoch: no address is used twice. */
interface Ledger {
  readonly service: Map<string, number>;
  readonly removedAt: Map<string, number>;
}

/** Replaces services' endpoints again and again until told to stop. @returns how many flushes that took */
async function churn(
  { controller }: BenchAgent,
  first: Snapshot,
  ledger: Ledger,
  stopped: () => boolean,
): Promise<number> {
  let snapshot = first;
  let next = services;
  let flushes = 0;
  const members = Array.from({ length: services }, (_, service) => [service]);
  while (!stopped()) {
    const service = flushes % services;
    const old = members[service];
    // Twice or half as many, or a few more or less: records change class, or are edited in place.
    const factor = Math.random() < 0.5 ? 0.5 + Math.random() * 1.5 : 0.95 + Math.random() * 0.1;
    const wanted = Math.min(most, Math.max(fewest, Math.round(old.length * factor)));
    const leave = old.slice(0, Math.max(old.length - wanted, Math.ceil(old.length / 10)));
    const stay = old.slice(leave.length);
    const come = Array.from({ length: Math.max(1, wanted - stay.length) }, () => next++);
    for (const n of come) ledger.service.set(addressOf(n), service);
    snapshot = editSnapshot(snapshot, {
      upsertWorkloads: come.map((n) => ({
        ...benchWorkload(n, 1),
        services: benchWorkload(service, 1).services,
      })),
      removeWorkloads: leave.map((n) => `w${n}`),
    });
    controller.submit(snapshot);
    await controller.idle();
    // A connection that begins after this must not find them; the client's clock is read in whole ns, this one in ms.
    const now = Date.now() + 1;
    for (const n of leave) ledger.removedAt.set(addressOf(n), now);
    members[service] = [...stay, ...come];
    flushes++;
    // Background work and the client's output have their turn.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return flushes;
}

/** Connections by what became of them. */
interface Verdicts {
  connections: number;
  failed: number;
  removed: number;
  wrong: number;
}

function judge(bytes: Uint8Array, { service, removedAt }: Ledger): Verdicts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const verdicts: Verdicts = { connections: 0, failed: 0, removed: 0, wrong: 0 };
  for (let at = 0; at + recordBytes <= bytes.length; at += recordBytes) {
    verdicts.connections++;
    if (view.getUint32(at + 16, true) !== 0) {
      verdicts.failed++;
      continue;
    }
    const start = Number(view.getBigUint64(at, true) / 1000n) / 1000;
    const address = bytes.subarray(at + 12, at + 16).join(".");
    if (service.get(address) !== view.getUint32(at + 8, true)) verdicts.wrong++;
    if ((removedAt.get(address) ?? Infinity) < start) verdicts.removed++;
  }
  return verdicts;
}

export async function churnFigures(shim: Shim, { quick, say }: BenchmarkOptions): Promise<Figure[]> {
  const seconds = quick ? 5 : 60;
  say(`${perSecond} connections a second for ${seconds} s while records grow, shrink and move`);
  const program = await buildProgram("churn");
  await using cgroup = createCgroup(cgroup2Mount(), ownedName("weft-bench", "churn"));
  await using agent = await startAgent(shim, cgroup, "churn");
  const snapshot = replaceMesh(emptySnapshot(), benchMesh(services, 1));
  agent.controller.submit(snapshot);
  await agent.controller.idle();
  const ledger: Ledger = {
    service: new Map(Array.from({ length: services }, (_, n) => [addressOf(n), n])),
    removedAt: new Map(),
  };
  const vips = Array.from({ length: services }, (_, service) => vipOf(service));
  const [command, ...args] = inCgroup(cgroup.path, [
    program,
    ...[perSecond, seconds, servicePort, targetPort].map(String),
    ...vips,
  ]);
  const child = new Deno.Command(command, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  let ended = false;
  const output = child.output().finally(() => ended = true);
  const before = agent.datapath.pool.counts;
  const started = performance.now();
  const flushes = await churn(agent, snapshot, ledger, () => ended);
  const elapsed = (performance.now() - started) / 1000;
  const { success, stdout, stderr } = await output;
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  const ready = "ready\n".length;
  const verdicts = judge(stdout.subarray(ready), ledger);
  const { pool } = agent.datapath;
  const moved = (name: keyof typeof before) => pool.counts[name] - before[name];
  const details = {
    connections: verdicts.connections,
    "a second": verdicts.connections / elapsed,
    seconds: elapsed,
    flushes,
    "records moved": moved("fromSpares") + moved("burstRecords"),
    "of those without a spare": moved("burstRecords"),
    "spares added": moved("grown"),
    "spares freed": moved("shrunk"),
    "endpoints removed": ledger.removedAt.size,
  };
  const figure = (name: string, value: number): Figure => ({ name, value, unit: "", goal: 0 });
  return [
    { ...figure("connections that failed while records moved", verdicts.failed), details },
    figure("connections to an endpoint removed before they began", verdicts.removed),
    figure("connections to another service's endpoint", verdicts.wrong),
  ];
}
