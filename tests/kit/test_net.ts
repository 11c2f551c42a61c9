/** The world of a test: a client namespace, servers, a cgroup whose connections are balanced. */

import {
  type Cgroup,
  cgroup2Mount,
  createCgroup,
  createNetwork,
  inPlace,
  ownedName,
  type Place,
  run,
  spawn,
} from "../../src/host/mod.ts";
import { type AddressPort, at, slashed, split } from "./address.ts";
import { buildPeer } from "./build_peer.ts";
import { expectReady, type Hammer, type HammerOptions, type HammerResult, startHammer } from "./hammer.ts";
import { removeLeftovers, testPrefix } from "./leftovers.ts";
import { patience } from "./slow.ts";
import { type Sockets, startSockets } from "./sockets.ts";

/** One server: it answers over TCP and UDP, IPv4 and IPv6. */
export interface TestServer {
  readonly name: string;
  /** In the namespace that all servers share. */
  readonly v4: string;
  readonly v6: string;
}

export interface TestNetOptions {
  /** Server name → the ports that it listens on; none: it has addresses, and listens while `serve` is told so. @default a, b, c and d on 8080 */
  readonly servers?: Readonly<Record<string, readonly number[]>>;
  /** More addresses on which the first server listens (a VIP, say), reached directly from the client. @default none */
  readonly extraAddresses?: readonly string[];
  /** A port on which every server holds conversations over TCP: it answers whatever is said on a connection. @default none */
  readonly talkPort?: number;
  /** More servers, for TCP on addresses of their own, reached directly from the client: name → where it listens. @default none */
  readonly places?: Readonly<Record<string, readonly AddressPort[]>>;
}

export interface TestNet extends AsyncDisposable {
  readonly servers: Readonly<Record<string, TestServer>>;
  /** The cgroup to be balanced: hammers and sockets live in it. */
  readonly cgroup: Cgroup;
  /** A cgroup for what must not be balanced: servers and agents live in it. */
  readonly aside: Cgroup;
  /** Where servers live. */
  readonly serverNamespace: string;
  /** Where clients live: in `cgroup`, in the client's namespace. */
  readonly client: Place;
  /** Names things that outlive a killed test: pins, files. */
  readonly id: string;
  readonly startHammer: (options: HammerOptions, place?: Place) => Promise<Hammer>;
  /** Runs a hammer to its count. */
  readonly hammer: (
    options: HammerOptions & { readonly count: number },
    place?: Place,
  ) => Promise<HammerResult>;
  readonly sockets: (place?: Place) => Promise<Sockets>;
  /** Lets some servers listen on a port, until it is disposed of: then they are dead, and their host refuses. @default 8080 */
  readonly serve: (servers: readonly string[], port?: number) => Promise<AsyncDisposable>;
  /** Runs another program as a client. @returns its standard output */
  readonly run: (command: readonly string[], place?: Place) => Promise<string>;
}

const defaultServers = { a: [8080], b: [8080], c: [8080], d: [8080] };

/** Builds the world. What killed runs left is removed first. */
export async function createTestNet(options: TestNetOptions = {}): Promise<TestNet> {
  const { servers: wanted = defaultServers, extraAddresses = [], places = {}, talkPort } = options;
  await removeLeftovers();
  const peer = await buildPeer();
  const id = ownedName(testPrefix, crypto.randomUUID().slice(0, 8));
  const servers = Object.fromEntries(
    Object.keys(wanted).map((name, i) => [name, { name, v4: `10.77.1.${i + 1}`, v6: `fd77::1:${i + 1}` }]),
  );

  await using stack = new AsyncDisposableStack();
  // Taken down in the opposite order: processes, the network they live in, cgroups.
  const top = stack.use(createCgroup(cgroup2Mount(), id, patience(5000)));
  const cgroup = stack.use(createCgroup(top.path, "balanced", patience(5000)));
  const aside = stack.use(createCgroup(top.path, "aside", patience(5000)));
  const whole = (address: string) => `${address}/${address.includes(":") ? 128 : 32}`;
  const placed = Object.values(places).flat().map((place) => split(place).address);
  const own = [...new Set([...extraAddresses, ...placed])].map(whole);
  const network = stack.use(
    await createNetwork({
      prefix: testPrefix,
      gateways: ["10.77.255.254/16", "fd77::ffff/64"],
      namespaces: [
        {
          name: "client",
          addresses: ["10.77.0.1/16", "fd77::a/64"],
          onLink: own,
        },
        {
          name: "servers",
          addresses: [
            ...Object.values(servers).flatMap(({ v4, v6 }) => [`${v4}/16`, `${v6}/64`]),
            ...own,
          ],
        },
      ],
    }),
  );
  const [first] = Object.keys(wanted);
  const listener = (name: string, address: string, port: number) => [
    `${name}=tcp/${address}/${port}`,
    `${name}=udp/${address}/${port}`,
  ];
  const listening = Object.entries(wanted).flatMap(([name, ports]) =>
    [servers[name].v4, servers[name].v6, ...name === first ? extraAddresses : []].flatMap((address) =>
      ports.flatMap((port) => listener(name, address, port))
    )
  );
  if (talkPort !== undefined) {
    for (const { name, v4, v6 } of Object.values(servers)) {
      for (const address of [v4, v6]) listening.push(`${name}=talk/${address}/${talkPort}`);
    }
  }
  for (const [name, where] of Object.entries(places)) {
    for (const place of where) listening.push(`${name}=tcp/${slashed(place)}`);
  }
  const startServers = async (listening: readonly string[]) => {
    const place = { cgroup: aside.path, namespace: network.namespace("servers") };
    await using starting = new AsyncDisposableStack();
    const child = starting.use(spawn([peer, "serve", ...listening], place));
    await expectReady(child);
    return starting.move();
  };
  if (listening.length > 0) stack.use(await startServers(listening));

  const client: Place = { cgroup: cgroup.path, namespace: network.namespace("client") };
  const started = stack.move();
  return {
    servers,
    cgroup,
    aside,
    serverNamespace: network.namespace("servers"),
    client,
    id,
    startHammer: (options, place = client) => startHammer(peer, options, place),
    hammer: async (options, place = client) => {
      await using hammer = await startHammer(peer, options, place);
      return await hammer.done();
    },
    sockets: (place = client) => startSockets(peer, place),
    serve: (names, port = 8080) =>
      startServers(
        names.flatMap((name) => [servers[name].v4, servers[name].v6].flatMap((a) => listener(name, a, port))),
      ),
    run: (command, place = client) => run(inPlace(command, place)),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** A server's own address and port. */
export function serverAt({ v4, v6 }: TestServer, family: 4 | 6, port = 8080): string {
  return at(family === 4 ? v4 : v6, port);
}
