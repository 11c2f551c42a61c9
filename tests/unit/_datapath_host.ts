/** A data path on a fake kernel that can attach itself, and some services for it. */

import assert from "node:assert/strict";
import { mapInfo } from "../../ffi/mod.ts";
import {
  type Controller,
  type ControllerOptions,
  createController,
  type Datapath,
  type DesiredService,
  hooksInUse,
  openDatapath,
  type PinPaths,
  pinPaths,
  type SocketSizes,
} from "../../src/dataplane/mod.ts";
import { mapFds, type MeshSizes } from "../../src/dataplane/maps.ts";
import { placeOn } from "../../src/locality/mod.ts";
import { randomChoice, type ServiceKey } from "../../src/mesh/mod.ts";
import { defaultWatermarks } from "../../src/records/mod.ts";
import { createFakeKernel, type FakeKernel } from "./_fake_kernel.ts";
import { addPrograms, type FakePrograms } from "./_fake_programs.ts";
import { createKernelReader, type Destination, placeOf } from "./_kernel_reader.ts";
import { desiredService } from "./_random_services.ts";

export interface DatapathHost extends Disposable {
  readonly kernel: FakeKernel;
  readonly programs: FakePrograms;
  readonly paths: PinPaths;
  /** Opens what is pinned, or something new. */
  open(options?: {
    readonly sizes?: Partial<MeshSizes>;
    readonly socketSizes?: Partial<SocketSizes>;
    readonly maxRecords?: number;
  }): Datapath;
}

const cgroup = { fd: 5, id: 5n };

export function createDatapathHost(): DatapathHost {
  const root = Deno.makeTempDirSync({ prefix: "weft-fake-" });
  const kernel = createFakeKernel();
  const programs = addPrograms(kernel);
  const paths = pinPaths(`${root}/weft`);
  Deno.mkdirSync(paths.root);
  return {
    kernel,
    programs,
    paths,
    open: ({ sizes, socketSizes, maxRecords = 128 } = {}) =>
      openDatapath(kernel.shim, {
        paths,
        sizes: { frontends: 512, services: 256, endpoints: 1024, records: 128, ...sizes },
        socketSizes: { peers: 1, flows: 1, connectionLimits: 64, ...socketSizes },
        cgroup,
        features: { setRetval: true, mptcp: true },
        publishThreads: 0,
        watermarks: defaultWatermarks,
        maxRecords,
      }),
    [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }),
  };
}

/** A controller for a node without a place, and what it was told of failures. */
export function controllerOf(
  datapath: Datapath,
  options: Pick<ControllerOptions, "later"> = {},
): { readonly controller: Controller; readonly errors: readonly string[] } {
  const errors: string[] = [];
  const place = placeOn("");
  const controller = createController({
    ...options,
    datapath,
    node: () => place,
    onFlush: () => {},
    onError: (message) => void errors.push(message),
  });
  return { controller, errors };
}

export type Change = readonly [ServiceKey, DesiredService | undefined];

/** A service with one VIP and one port, and members from number `first` on. */
export function serviceOf(n: number, members: number, first = n * 20): Change {
  const key = `shop/s${n}`;
  const some = Array.from(
    { length: members },
    (_, i) => ({ uid: `w${first + i}`, number: first + i, weight: 1, rank: 0 }),
  );
  const draft = {
    vips: [vipOf(n)],
    ports: [80],
    left: false,
    mapped: true,
    members: some,
    choice: randomChoice,
  };
  return [key, desiredService(key, draft)];
}

export function vipOf(n: number): string {
  return `10.96.${n >> 8}.${n & 0xff}`;
}

export function destinationOf(n: number): Destination {
  return { address: vipOf(n), port: 80, protocol: 6 };
}

/** The kernel as those see it who have this generation's maps. */
function seenThrough(kernel: FakeKernel, { maps }: Datapath): FakeKernel {
  const ids = new Map([...mapFds(maps!)].map(([name, fd]) => [name as string, mapInfo(kernel.shim, fd).id]));
  return { ...kernel, map: (name) => kernel.maps.get(ids.get(name)!)! };
}

/** The places that connections to a service reach. @throws {Error} where its record is broken */
export function placesOf(kernel: FakeKernel, datapath: Datapath, n: number): Set<string> {
  const answer = createKernelReader(seenThrough(kernel, datapath)).answer(destinationOf(n));
  return answer.kind === "balance" ? new Set(answer.places) : new Set([answer.kind]);
}

/** What `placesOf` should say. */
export function wantedPlaces([, service]: Change): Set<string> {
  const endpoints = service!.servicePorts.flatMap(({ tiers }) => tiers.flatMap((tier) => tier.endpoints));
  return new Set(endpoints.map(({ address, port }) => placeOf(address, port)));
}

export function assertServes(kernel: FakeKernel, datapath: Datapath, changes: readonly Change[]): void {
  for (const change of changes) {
    const n = Number(change[0].slice("shop/s".length));
    assert.deepEqual(placesOf(kernel, datapath, n), wantedPlaces(change), change[0]);
  }
}

/** All that a generation's maps hold and their records, element by element. */
export function dump(kernel: FakeKernel, { maps }: Datapath): unknown {
  const ids = [...mapFds(maps!).values()].map((fd) => mapInfo(kernel.shim, fd).id);
  const records = maps!.records.entries().map(([, id]) => id);
  return [...ids, ...records].map((id) => {
    const { values } = kernel.maps.get(id)!;
    return [id, [...values].map(([key, value]) => [key, value.join()]).sort()];
  });
}

/** The maps that the programs on each hook use: the same for all. */
export function attachedMaps({ programs }: DatapathHost): ReadonlyMap<string, number> {
  const [first, ...others] = hooksInUse(false).map(({ attachType }) => programs.mapsOn(attachType)!);
  for (const other of others) assert.deepEqual(other, first);
  return first;
}
