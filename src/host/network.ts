/** A small world: namespaces on one switch, apart from the host's own network. */

import { deleteNamespaces, ipBatch, removeLeftoverNamespaces } from "./netns.ts";
import { ownedName } from "./owner.ts";

/** A namespace with one interface, `eth0`. */
export interface NamespaceOptions {
  readonly name: string;
  /** With prefix length, such as `10.1.0.2/24` and `fd01::2/64`. */
  readonly addresses: readonly string[];
  /** Prefixes that are reached directly on `eth0`, as the addresses' own are. @default none */
  readonly onLink?: readonly string[];
}

export interface NetworkOptions {
  /** Names start with it; what killed runs left under it is removed first. */
  readonly prefix: string;
  readonly namespaces: readonly NamespaceOptions[];
  /**
   * The switch's own addresses, with prefix length, one a family: every namespace's default route. What is sent there (a VIP that
   * nobody rewrote) goes nowhere, without an answer.
   */
  readonly gateways: readonly string[];
}

/** The namespaces' real names. Disposing of it removes everything; end the processes in it before. */
export interface Network extends AsyncDisposable {
  /** @param name as in the options; `switch` is the switch's */
  readonly namespace: (name: string) => string;
}

const withoutLength = (address: string) => address.replace(/\/.*/, "");

/** `nodad`: usable at once. */
const addAddress = (address: string, device: string) =>
  `addr add ${address} dev ${device}${address.includes(":") ? " nodad" : ""}`;

/** Builds the namespaces, the switch between them, addresses and routes. Nothing is put into the host's own namespace. */
export async function createNetwork(options: NetworkOptions): Promise<Network> {
  const { prefix, namespaces, gateways } = options;
  await removeLeftoverNamespaces(prefix);
  const unique = crypto.randomUUID().slice(0, 4);
  const real = new Map(
    ["switch", ...namespaces.map(({ name }) => name)].map((
      name,
    ) => [name, ownedName(prefix, `${unique}-${name}`)]),
  );
  const namespace = (name: string): string => {
    const found = real.get(name);
    if (found === undefined) {
      throw new RangeError(`no namespace ${name}; there are ${[...real.keys()].join(", ")}`);
    }
    return found;
  };
  const network: Network = {
    namespace,
    [Symbol.asyncDispose]: () => deleteNamespaces([...real.values()]),
  };
  try {
    await ipBatch([...real.values()].map((name) => `netns add ${name}`));
    await ipBatch([
      "link set lo up",
      "link add bridge0 type bridge forward_delay 0 mcast_snooping 0",
      "link set bridge0 addrgenmode none up",
      ...gateways.map((gateway) => addAddress(gateway, "bridge0")),
      // Also where the host forwards and its new namespaces inherit that.
      "route add blackhole 0.0.0.0/0",
      "route add blackhole ::/0",
      ...namespaces.flatMap(({ name }, i) => [
        `link add port${i} type veth peer name eth0 netns ${namespace(name)}`,
        `link set port${i} master bridge0 addrgenmode none up`,
      ]),
    ], namespace("switch"));
    for (const { name, addresses, onLink = [] } of namespaces) {
      await ipBatch([
        "link set lo up",
        "link set eth0 addrgenmode none up",
        ...addresses.map((address) => addAddress(address, "eth0")),
        ...onLink.map((prefix) => `route add ${prefix} dev eth0`),
        ...gateways.map((gateway) => `route add default via ${withoutLength(gateway)}`),
      ], namespace(name));
    }
    return network;
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}
