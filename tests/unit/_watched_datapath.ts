/** A data path on a fake kernel, watched: after every write every connection must find what it may find then. */

import assert from "node:assert/strict";
import { workload } from "../../ffi/mod.ts";
import { kernelShares } from "../../src/agent/kernel_shares.ts";
import { type Datapath, KernelStateUnknown, openDatapath, pinPaths } from "../../src/dataplane/mod.ts";
import { mapFds } from "../../src/dataplane/maps.ts";
import { defaultWatermarks, readRecord } from "../../src/records/mod.ts";
import { byteString, createFakeKernel, type FakeKernel, type FakeMap, u32Key } from "./_fake_kernel.ts";
import {
  type Answer,
  createKernelReader,
  type Destination,
  type KernelReader,
  type Step,
} from "./_kernel_reader.ts";
import { createStickySockets, type StickySocket } from "./_sticky_sockets.ts";
import {
  changesBetween,
  destinations,
  emptyWorld,
  tierAnswer,
  wantedAnswer,
  wantedCounts,
  wantedEndpoints,
  type World,
} from "./_random_services.ts";

const paths = pinPaths("/nowhere/weft");

/** Opens a data path on what is pinned in a fake kernel. Its maps never have to grow. */
function open(kernel: FakeKernel): Datapath {
  return openDatapath(kernel.shim, {
    paths,
    sizes: { frontends: 64, services: 128, endpoints: 1024, records: 128, endpointConnections: 1024 },
    socketSizes: { peers: 1, flows: 1, connectionLimits: 64 },
    cgroup: { fd: 0, id: 0n },
    features: { setRetval: true, mptcp: true },
    publishThreads: 0,
    watermarks: defaultWatermarks,
    maxRecords: 128,
  });
}

/** A connection that has read something and acts on it later. */
interface Underway {
  readonly to: Destination;
  readonly step: Step;
  /** The oldest version of the world that it may have seen. */
  readonly since: number;
  /** What it may find besides: it began under an earlier agent. */
  readonly earlier: readonly Answer[];
  /** The grace period that began last before it did. */
  readonly epoch: number;
}

/** What a killed agent leaves. */
export interface Left {
  readonly kernel: FakeKernel;
  readonly sockets: readonly StickySocket[];
  readonly underway: readonly Underway[];
}

export interface WatchedDatapath {
  readonly kernel: FakeKernel;
  readonly datapath: Datapath;
  /** What the kernel serves; nothing where that is not known. */
  readonly world: World;
  /** What would be left if the agent were killed now. */
  kill(): Left;
  /** Called after each write that a connection could see, once everything has been checked. */
  afterWrite: (() => void) | undefined;
  /** Moves the kernel there. Where that can't be undone the kernel is read back, and the next flush starts from that. */
  flush(to: World): Promise<void>;
  /** Asserts that the kernel holds what was wanted and nothing else, once nothing is left to do in the background. */
  assertSettled(): Promise<void>;
}

/** Starts with nothing. */
export async function startWatched(random: () => number): Promise<WatchedDatapath> {
  const kernel = createFakeKernel(random);
  const datapath = open(kernel);
  await datapath.flush([]);
  for (const [name, fd] of mapFds(datapath.maps!)) {
    const info = new Uint32Array(6);
    kernel.shim.call.weft_map_info(fd, info, new Uint8Array(16));
    kernel.pins.set(`${paths.maps}/${name}`, info[0]);
  }
  return watch(random, kernel, datapath, emptyWorld);
}

/** Takes over what a killed agent left, and moves the kernel on. */
export async function takeOver(
  random: () => number,
  left: Left,
  to: World,
  afterWrite?: (watched: WatchedDatapath) => void,
): Promise<WatchedDatapath> {
  const datapath = open(left.kernel);
  assert.ok(datapath.tookOver);
  const watched = watch(random, left.kernel, datapath, undefined, left);
  watched.afterWrite = () => afterWrite?.(watched);
  await watched.flush(to);
  return watched;
}

function describe(answer: Answer): string {
  if (answer.kind !== "balance") return answer.kind;
  return `balance over ${
    [...answer.places].map((place) => [...place].map((c) => c.charCodeAt(0)).slice(-6).join(".")).sort().join(
      " ",
    )
  }`;
}

/** Whether each thing that can happen is what one of the allowed answers says. */
function agrees(answer: Answer, allowed: readonly Answer[]): boolean {
  if (answer.kind !== "balance") return allowed.some((one) => one.kind === answer.kind);
  return [...answer.places].every((place) =>
    allowed.some((one) => one.kind === "balance" && one.places.has(place))
  );
}

function keyOf(to: Destination, step: Step): string {
  return `${destinations.indexOf(to)}|${step.at}|${valueOf(step)}`;
}

function valueOf(step: Step): string | number {
  switch (step.at) {
    case "missing frontend":
      return "";
    case "frontend of the VIP":
    case "service port":
      return step.id;
    case "tier":
      return step.word;
    case "record":
      return `${step.record.id}|${step.count}`;
    case "endpoint":
      return step.index;
  }
}

/** The same record in another kernel; one that is out of reach there is held by those who read it. */
function copyOf(record: FakeMap, { maps }: FakeKernel): FakeMap {
  return maps.get(record.id) ?? { ...record, values: new Map(record.values) };
}

/** @param initial `undefined`: whatever the kernel serves */
function watch(
  random: () => number,
  kernel: FakeKernel,
  datapath: Datapath,
  initial: World | undefined,
  left?: Left,
): WatchedDatapath {
  const reader = createKernelReader(kernel);
  const sticky = createStickySockets(kernel, reader, left?.sockets ?? []);
  /** What each destination was to find, one version after the other. */
  const versions: ReadonlyMap<Destination, Answer>[] = [
    new Map(destinations.map((to) => [to, initial ? wantedAnswer(initial, to) : reader.answer(to)])),
  ];
  /** What one may find besides that has read its tier before, likewise. */
  const tierVersions: ReadonlyMap<Destination, Answer>[] = [
    new Map(destinations.map((to) => [to, initial ? tierAnswer(initial, to) : reader.answer(to)])),
  ];
  /** The oldest version that a connection may find that begins now. */
  let oldest = 0;
  let world = initial;
  let epoch = 0;
  const underway = new Map(left?.underway.map((one) => [keyOf(one.to, one.step), one]));

  function allowedSince(to: Destination, since: number): Answer[] {
    return versions.slice(since).map((version) => version.get(to)!);
  }

  function check(to: Destination, allowed: readonly Answer[], what: string, answer: () => Answer): void {
    let found: Answer;
    try {
      found = answer();
    } catch (error) {
      throw new Error(`${what} to ${to.address} ${to.port}/${to.protocol}: ${(error as Error).message}`);
    }
    if (agrees(found, allowed)) return;
    const words = allowed.map(describe).join(" or ");
    assert.fail(
      `${what} to ${to.address} ${to.port}/${to.protocol} finds: ${describe(found)}; allowed: ${words}`,
    );
  }

  function checkNew(): void {
    for (const to of destinations) {
      check(to, allowedSince(to, oldest), "a new connection", () => reader.answer(to));
    }
  }

  function checkUnderway(): void {
    for (const { to, step, since, earlier } of underway.values()) {
      const tiers = tierVersions.slice(since).map((version) => version.get(to)!);
      const allowed = [...earlier, ...allowedSince(to, since), ...tiers];
      check(to, allowed, `a connection that read its ${step.at} before`, () => reader.proceed(to, step));
    }
  }

  function beginConnections(): void {
    for (let count = 0; count < 3; count++) {
      const to = destinations[Math.floor(random() * destinations.length)];
      for (const step of reader.steps(to)) {
        const key = keyOf(to, step);
        if (!underway.has(key)) underway.set(key, { to, step, since: oldest, earlier: [], epoch });
      }
    }
  }

  // Thrown inside, it would be taken for a kernel's refusal.
  let violation: unknown;
  const counted = [kernel.map("endpoint_hits"), kernel.map("refusals")];
  kernel.onWrite = (map) => {
    if (violation || counted.includes(map) || !kernel.isReachable(map)) return;
    try {
      checkNew();
      sticky.assertSound();
      if (random() < 0.25) checkUnderway();
      beginConnections();
    } catch (error) {
      violation = error;
    }
    watched.afterWrite?.();
  };
  function throwViolation(): void {
    if (violation) throw violation;
  }
  kernel.onGracePeriod = () => {
    const begun = ++epoch;
    return () => {
      for (const [key, connection] of underway) if (connection.epoch < begun) underway.delete(key);
    };
  };

  function assertServes(wanted: World): void {
    for (const to of destinations) {
      assert.deepEqual(reader.answer(to), wantedAnswer(wanted, to));
      if (wantedAnswer(wanted, to).kind === "balance") assertShares(reader, datapath, wanted, to);
    }
  }

  const watched: WatchedDatapath = {
    kernel,
    datapath,
    get world() {
      return world ?? emptyWorld;
    },
    kill: () => {
      const copy = kernel.clone();
      const underwayThen = underway.values().map(({ to, step, since, earlier }) => ({
        to,
        step: step.at === "record" ? { ...step, record: copyOf(step.record, copy) } : step,
        since: 0,
        earlier: [
          ...earlier,
          ...allowedSince(to, since),
          ...tierVersions.slice(since).map((version) => version.get(to)!),
        ],
        epoch: 0,
      }));
      return { kernel: copy, sockets: [...sticky.sockets], underway: [...underwayThen] };
    },
    afterWrite: undefined,
    flush: async (to) => {
      beginConnections();
      const changes = changesBetween(random, world ?? emptyWorld, to);
      versions.push(new Map(destinations.map((destination) => [destination, wantedAnswer(to, destination)])));
      tierVersions.push(
        new Map(destinations.map((destination) => [destination, tierAnswer(to, destination)])),
      );
      try {
        await datapath.flush(changes);
      } catch (error) {
        throwViolation();
        versions.push(versions[oldest]);
        tierVersions.push(tierVersions[oldest]);
        if (error instanceof KernelStateUnknown) {
          kernel.failAt = undefined;
          await datapath.reread();
          versions.push(new Map(destinations.map((to) => [to, reader.answer(to)])));
          tierVersions.push(versions[versions.length - 1]);
          world = undefined;
        }
        oldest = versions.length - 1;
        if (world) assertServes(world);
        throw error;
      }
      throwViolation();
      oldest = versions.length - 1;
      if (world) sticky.assertKept(world, to);
      world = to;
      sticky.open(random, world);
      assertServes(world);
      checkUnderway();
    },
    assertSettled: async () => {
      kernel.holdGracePeriods = false;
      await kernel.endGracePeriods();
      await datapath.settle();
      throwViolation();
      assertServes(world!);
      assertNothingElse(kernel, datapath, world!);
    },
  };
  return watched;
}

/** Asserts that each endpoint gets its share, to within what 32 bits can say. */
function assertShares(reader: KernelReader, { maps }: Datapath, world: World, to: Destination): void {
  const port = maps!.services.lookup(reader.servicePort(to)!)!;
  const { tier } = port;
  const sum = (all: readonly { weight: number }[]) => all.reduce((sum, { weight }) => sum + weight, 0);
  const wanted = wantedEndpoints(world, to);
  const total = sum([...wanted.values()].flat());
  const shares = new Map<string, number>();
  for (const [index, share] of kernelShares(port, readRecord(maps!.records, tier.slot)!.entries)) {
    const bytes = new Uint8Array(workload.endpoint.size);
    workload.endpoint.write(new DataView(bytes.buffer), 0, maps!.endpoints.lookup(index)!);
    const place = byteString(bytes.subarray(0, 18));
    shares.set(place, (shares.get(place) ?? 0) + share);
  }
  assert.equal(shares.size, wanted.size);
  // On a ring of so few points chance decides.
  if (port.flags & workload.serviceFlag.SERVICE_RING_HASH) return;
  for (const [place, endpoints] of wanted) {
    const off = Math.abs(shares.get(place)! - sum(endpoints) / total);
    assert.ok(off < 1e-9, `a share is off by ${off}`);
  }
}

/** Asserts that nothing is left over: no element, no record, no number taken, no endpoint that sockets may keep. */
function assertNothingElse(kernel: FakeKernel, { applied, pool }: Datapath, world: World): void {
  const records = kernel.map("records").values;
  const placeholder = byteString(records.get(u32Key(0))!);
  const usable = [...kernel.map("endpoints").values.values()].filter((value) =>
    workload.endpoint.read(new DataView(value.buffer), 0).flags & workload.endpointFlag.ENDPOINT_USABLE
  );
  const wanted = wantedCounts(world);
  assert.deepEqual(
    {
      frontends: kernel.map("frontends").values.size,
      servicePortIds: applied.servicePortIds.used,
      endpointIndexes: applied.endpointIndexes.used,
      usableEndpoints: usable.length,
      records: pool.used,
      slots: [...records.values()].filter((id) => byteString(id) !== placeholder).length,
    },
    {
      frontends: wanted.frontends,
      servicePortIds: wanted.servicePorts,
      endpointIndexes: wanted.endpoints,
      usableEndpoints: wanted.endpoints,
      records: wanted.records,
      // Spares are the pool's business, but it must know of each.
      slots: pool.allocated,
    },
  );
}
