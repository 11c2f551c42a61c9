/** From frontends with their tiers to services of the mesh: the addresses of one name that are served alike are one service. */

import type { AssignedPort, NetworkRange, Service } from "../../mesh/mod.ts";
import type { Frontend } from "./frontends.ts";

/** A frontend and who serves it. */
export interface ServedFrontend extends Frontend {
  readonly served: AssignedPort;
}

/** The frontends of one service. */
export interface ServiceGroup {
  readonly hostname: string;
  /** Each address has all ports of the service. */
  readonly addresses: readonly string[];
  /** One for each port. */
  readonly ports: readonly ServedFrontend[];
}

/**
 * An address is called what its frontends are called, where they agree, else by itself. Where two addresses of one name are not served
 * alike, all but the first have the address in their name. In steps between which the caller may pause.
 */
export function* groupFrontends(frontends: Iterable<ServedFrontend>): Generator<void, ServiceGroup[]> {
  const byAddress = new Map<string, ServedFrontend[]>();
  for (const frontend of frontends) {
    const others = byAddress.get(frontend.address);
    if (others === undefined) byAddress.set(frontend.address, [frontend]);
    else others.push(frontend);
    yield;
  }
  const groups = new Map<string, { addresses: string[]; ports: ServedFrontend[] }>();
  const taken = new Set<string>();
  const addresses = [...byAddress.keys()].sort();
  for (const address of addresses) {
    const ports = byAddress.get(address)!.sort((a, b) => a.port - b.port);
    const names = new Set(ports.map(({ name }) => name).filter((name) => name !== ""));
    const name = names.size === 1 ? [...names][0] : address;
    const alike = JSON.stringify([name, ...ports.map(({ port, targetKey }) => [port, targetKey])]);
    const group = groups.get(alike);
    if (group !== undefined) group.addresses.push(address);
    else groups.set(alike, { addresses: [address], ports });
    yield;
  }
  return [...groups.entries()].map(([alike, group]) => {
    const [name] = JSON.parse(alike) as [string];
    const hostname = taken.has(name) ? `${name}~${group.addresses[0]}` : name;
    taken.add(name);
    return { hostname, ...group };
  });
}

/** @param network of the node: what a control plane says in mode ads is about no other */
export function serviceOf({ hostname, addresses, ports }: ServiceGroup, network: string): Service {
  const namespace = /^[^.]+\.([^.]+)\.svc(?:\.|$)/.exec(hostname)?.[1] ?? "";
  return {
    name: namespace === "" ? hostname : hostname.split(".")[0],
    namespace,
    hostname,
    vips: addresses.filter((address) => !address.includes("/")).map((address) => ({ network, address })),
    ranges: addresses.filter((address) => address.includes("/")).map((range) => rangeOf(range, network)),
    ports: new Map(ports.map(({ port }) => [port, 0])),
    loadBalancer: null,
    ipFamilies: null,
    canonical: false,
    visibility: "Public",
    needsWaypoint: false,
    outlierDetection: true,
    endpoints: [],
    assigned: new Map(ports.map(({ port, served }) => [port, served])),
  };
}

function rangeOf(range: string, network: string): NetworkRange {
  const [address, length] = range.split("/");
  return { network, address, prefixLength: Number(length) };
}
