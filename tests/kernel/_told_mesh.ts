/** A control plane that tells whole meshes, the same in both modes, and forgets who it was when a test says so. */

import { sleep } from "../../src/host/mod.ts";
import { deltaResponseType, discoveryResponseType } from "../../src/xds/proto/mod.ts";
import {
  addressUrl,
  at,
  authorizationUrl,
  type ControlPlane,
  type ControlStream,
  serverAt,
  serviceResource,
  type TestNet,
  workloadResource,
} from "../kit/mod.ts";
import { ipBytes } from "../kit/workload_api.ts";
import { assignment, cluster, listener, type ShortType, tcp, urls } from "../unit/_ads_messages.ts";
import { randomFrom } from "../unit/_random.ts";

export type Mode = "workload" | "ads";

/** The server's port of each port of every service: one that answers once, one for conversations. */
export const targetPorts: Readonly<Record<number, number>> = { 80: 8080, 81: 8081 };

/** Services by name. */
export type ToldMesh = Readonly<
  Record<string, {
    readonly vips: readonly string[];
    readonly members: readonly string[];
    /** What else its clusters say, in mode ads. */
    readonly cluster?: Parameters<typeof cluster>[1];
  }>
>;

/** Types by what they say: who serves (told first), and what else is needed before the mesh counts as complete. */
export type Told = "endpoints" | "rest";

export interface MeshTeller {
  /** What each stream that opens is told, whole; what a client knows of other services it is told to forget. */
  mesh: ToldMesh;
  /** What is held back, until it is set anew. */
  withheld: Told | undefined;
  /** Instead of a mesh, each request is answered with something random. */
  random: boolean;
  /** Random responses sent so far, and those that were refused, by an answer. */
  readonly randoms: { sent: number; refused: number };
  /** Streams that were told everything, so far. */
  readonly told: number;
}

/** Answers all streams until the control plane is disposed of. */
export function tellMesh(plane: ControlPlane, mode: Mode, servers: TestNet["servers"], mesh: ToldMesh) {
  const random = randomFrom(1);
  const randoms = { sent: 0, refused: 0 };
  const teller = { mesh, withheld: undefined as Told | undefined, random: false, randoms, told: 0 };
  const tell = mode === "workload" ? tellWorkloads : tellClusters;
  (async () => {
    for (;;) {
      const stream = await plane.stream(600_000);
      const told = teller.random ? babble(stream, mode, random, randoms) : tell(stream, servers, teller);
      // Where a client goes in the middle of it, the next stream is what counts.
      told.catch(() => {});
    }
  })().catch(() => {});
  return teller as MeshTeller;
}

type State = Pick<MeshTeller, "mesh" | "withheld"> & { told: number };

async function allowed(state: State, what: Told): Promise<void> {
  while (state.withheld === what) await sleep(10);
}

async function tellWorkloads(stream: ControlStream, servers: TestNet["servers"], state: State) {
  const { initial_resource_versions } = await stream.deltaRequest();
  await stream.deltaRequest();
  const key = (name: string) => `test/${name}.test.mesh`;
  const ports = Object.entries(targetPorts).map(([port, target]) => ({
    service_port: Number(port),
    target_port: target,
    app_protocol: 0,
  }));
  const services = Object.entries(state.mesh);
  const resources = [
    ...Object.entries(servers).map(([name, { v4, v6 }]) =>
      workloadResource(name, {
        addresses: [ipBytes(v4), ipBytes(v6)],
        services: Object.fromEntries(
          services.filter(([, { members }]) => members.includes(name)).map((
            [service],
          ) => [key(service), { ports }]),
        ),
      })
    ),
    ...services.map(([name, { vips }]) =>
      serviceResource(key(name), {
        addresses: vips.map((vip) => ({ network: "", address: ipBytes(vip) }) as never),
        ports,
      })
    ),
  ];
  const known = new Set(resources.map(({ name }) => name));
  await allowed(state, "endpoints");
  stream.sendDelta({
    type_url: addressUrl,
    nonce: "addresses",
    resources,
    removed_resources: Object.keys(initial_resource_versions).filter((name) => !known.has(name)),
  });
  await stream.deltaRequest();
  await allowed(state, "rest");
  stream.sendDelta({ type_url: authorizationUrl, nonce: "authorizations" });
  await stream.deltaRequest();
  state.told++;
}

async function tellClusters(stream: ControlStream, servers: TestNet["servers"], state: State) {
  const mesh = state.mesh;
  const all = Object.entries(mesh).flatMap(([name, service]) =>
    Object.entries(targetPorts).map(([port, target]) => ({
      name: `${name}|${port}`,
      port,
      target,
      ...service,
    }))
  );
  const resources = {
    cds: () => all.map((one) => cluster(one.name, one.cluster)),
    eds: (names: readonly string[]) =>
      all.filter(({ name }) => names.includes(name)).map(({ name, target, members }) =>
        assignment(
          name,
          ...members.flatMap((
            member,
          ) => [serverAt(servers[member], 4, target), serverAt(servers[member], 6, target)]),
        )
      ),
    lds: () =>
      all.flatMap(({ name, port, vips }) =>
        vips.map((vip) => listener(`${vip}|${port}`, at(vip, Number(port)), [tcp(name)]))
      ),
    rds: () => [],
  };
  const asked = new Map<ShortType, string>();
  const answered = new Set<ShortType>();
  let done = false;
  for (let nonce = 1;; nonce++) {
    const { type_url, resource_names, response_nonce } = await stream.sotwRequest(600_000);
    const type = (Object.keys(urls) as ShortType[]).find((type) => urls[type] === type_url)!;
    if (response_nonce !== "") answered.add(type);
    if (!done && ["cds", "eds", "lds"].every((type) => answered.has(type as ShortType))) {
      done = true;
      state.told++;
    }
    const names = resource_names.join();
    if (asked.get(type) === names) continue;
    asked.set(type, names);
    const send = async () => {
      await allowed(state, type === "lds" ? "rest" : "endpoints");
      stream.sendSotw({
        type_url,
        version_info: `${nonce}`,
        nonce: `${nonce}`,
        resources: resources[type](resource_names),
      });
    };
    send().catch(() => {});
  }
}

/** Answers every request with something random: no message at all, or a message whose resources are not. */
async function babble(
  stream: ControlStream,
  mode: Mode,
  random: () => number,
  randoms: MeshTeller["randoms"],
): Promise<void> {
  const below = (n: number) => Math.floor(random() * n);
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => below(256));
  const anything = (type_url: string) => ({ type_url, value: bytes(20 + below(200)) });
  for (;;) {
    const { type_url, error_detail } = mode === "workload"
      ? await stream.deltaRequest(600_000)
      : await stream.sotwRequest(600_000);
    if (error_detail !== null) randoms.refused++;
    await sleep(2);
    randoms.sent++;
    const nonce = `random-${randoms.sent}`;
    if (random() < 0.2) stream.send(bytes(1 + below(300)));
    else if (mode === "ads") {
      const resources = [anything(type_url), anything(type_url)];
      stream.send(discoveryResponseType.encode({ type_url, version_info: nonce, nonce, resources }));
    } else {
      const names = ["test/web.test.mesh", "a", "nobody"];
      const resources = names.map((name) => ({
        name,
        version: nonce,
        aliases: [],
        resource: anything(type_url),
      }));
      stream.send(deltaResponseType.encode({ type_url, nonce, resources }));
    }
  }
}
