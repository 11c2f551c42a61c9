/**
 * What can be decided when a connection opens: from listeners and routes to frontends, each with the clusters that serve it.
 *
 * A listener with an address of its own is a frontend where all filter chains that a connection to it may take lead to the same
 * clusters. istiod gives HTTP services no such listener: a wildcard listener with HTTP routes is one frontend for each IP literal among
 * its virtual hosts' domains, served by that host's catch-all. All else needs a look at the request, and is named, not guessed.
 */

import ipaddr from "ipaddr.js";
import { type Family, familyOf, parseAddress } from "../../mesh/mod.ts";
import { formatHostPort } from "./decode_address.ts";
import type { FilterChain, HostPort, Listener, RouteTable, Target, VirtualHost } from "./model.ts";

/** An address that applications connect to, and where such connections are to go. */
export interface Frontend {
  /** Canonical text; of a range `address/length`. */
  readonly address: string;
  readonly port: number;
  readonly target: Target;
  /** The same text for targets that are served alike. */
  readonly targetKey: string;
  /** What it is called, such as a host name; "" where nothing says. */
  readonly name: string;
}

/** A listener with the routes that its filter chains subscribe to; a name that is missing has no routes. */
export interface RoutedListener {
  readonly listener: Listener;
  readonly routes: ReadonlyMap<string, RouteTable>;
}

/** What a listener says, whatever others say. */
export interface ListenerFrontends {
  readonly listener: string;
  /** Those of the listener's own addresses. */
  readonly exact: readonly Frontend[];
  /** Those of a wildcard listener's routes and ranges. */
  readonly wild: readonly Frontend[];
  /** What is left alone, one line each. */
  readonly notes: readonly string[];
}

/** The key of a frontend. */
export function frontendKey({ address, port }: Pick<Frontend, "address" | "port">): string {
  return `${address}|${port}`;
}

/** Reads one listener. */
export function readListener(one: RoutedListener): ListenerFrontends {
  const { name, address, additional } = one.listener;
  const exact: Frontend[] = [];
  const wild: Frontend[] = [];
  const notes = new Set<string>();
  const note = (text: string) => notes.add(`listener ${name}: ${text}`);
  const addresses = isForConnections(one.listener, note) ? [address!, ...additional] : [];
  if (addresses.length > 0) noteFilters(one.listener, note);
  for (const address of addresses) {
    const canonical = parseAddress(address.host);
    if (canonical === undefined) note(`${formatHostPort(address)} is no IP address: left alone`);
    else if (canonical === "0.0.0.0" || canonical === "::") {
      wild.push(...readWildcard(one, address.port, familyOf(canonical), note));
    } else exact.push(...readExact(one, { host: canonical, port: address.port }, note));
  }
  return { listener: name, exact, wild, notes: [...notes] };
}

/**
 * All frontends by key, and all notes. Of two listeners that are about the same address and port, one with that very address comes
 * before a wildcard; else the lesser name counts.
 */
export function mergeFrontends(
  listeners: Iterable<ListenerFrontends>,
): { readonly frontends: Map<string, Frontend>; readonly notes: readonly string[] } {
  const sorted = [...listeners].sort((a, b) => a.listener < b.listener ? -1 : 1);
  const frontends = new Map<string, Frontend>();
  for (const kind of ["exact", "wild"] as const) {
    for (const one of sorted) {
      for (const frontend of one[kind]) {
        const key = frontendKey(frontend);
        if (!frontends.has(key)) frontends.set(key, frontend);
      }
    }
  }
  return { frontends, notes: sorted.flatMap(({ notes }) => notes) };
}

function frontend(address: string, port: number, target: Target, name: string): Frontend {
  return { address, port, target, targetKey: targetKey(target), name };
}

/** Listeners for what comes in, those that only hand on what was redirected to them, and those without a socket are not for weft. */
function isForConnections(listener: Listener, note: (text: string) => void): boolean {
  if (listener.address === undefined || listener.direction === "INBOUND") return false;
  if (listener.useOriginalDst) {
    const refusing = listener.chains.some(({ match, action }) =>
      match.destinationPort === 0 && action.kind === "tcp" &&
      action.target.clusters.some(({ name }) => name === "BlackHoleCluster")
    );
    if (refusing) note("would refuse destinations that no service names; weft leaves them alone");
    return false;
  }
  if (listener.protocol !== "TCP") {
    note(`${listener.protocol} is left alone`);
    return false;
  }
  if (listener.matcher) {
    note("chooses filter chains by a matcher, needs L7: left alone");
    return false;
  }
  return true;
}

/** istiod's own, which only tell the two ends about each other. */
const harmless: ReadonlySet<string> = new Set(["istio.metadata_exchange", "istio.stats"]);

/** Filters before the one that acts may refuse a connection, or send it elsewhere. */
function noteFilters({ chains, defaultChain }: Listener, note: (text: string) => void): void {
  for (const { before } of defaultChain === undefined ? chains : [...chains, defaultChain]) {
    for (const name of before) if (!harmless.has(name)) note(`filter ${name} is not applied`);
  }
}

function readExact(
  { listener, routes }: RoutedListener,
  address: HostPort,
  note: (text: string) => void,
): Frontend[] {
  const { chains, closed } = chainsFor(listener, address);
  if (closed && chains.length === 0) return [];
  const read = chains.map((chain) => targetOfChain(chain, address, routes, note));
  const known = read.filter((one) => one !== undefined);
  if (
    known.length < read.length || known.length === 0 ||
    known.some((one) => !same(one.target, known[0].target))
  ) {
    note(`where a connection to ${formatHostPort(address)} goes needs L7: left alone`);
    return [];
  }
  const { target } = known[0];
  const name = known.map((one) => one.name).find((name) => name !== "") ?? nameByTarget(target, address.port);
  return [frontend(address.host, address.port, target, name)];
}

function same(a: Target, b: Target): boolean {
  return targetKey(a) === targetKey(b);
}

/** The same text for targets that are served alike. */
export function targetKey({ clusters }: Target): string {
  if (clusters.length === 1) return JSON.stringify(clusters[0].name);
  return JSON.stringify(clusters.map(({ name, weight }) => [name, weight]).sort());
}

/** The chains that a connection to this address may take: by destination decided, by what the client sends not yet. */
function chainsFor(
  listener: Listener,
  { host, port }: HostPort,
): { readonly chains: readonly FilterChain[]; readonly closed: boolean } {
  const portwise = listener.chains.filter(({ match }) => match.destinationPort === port);
  const byPort = portwise.length > 0
    ? portwise
    : listener.chains.filter(({ match }) => match.destinationPort === 0);
  let longest = -1;
  let byAddress: FilterChain[] = [];
  for (const chain of byPort) {
    const length = matchLength(chain.match.prefixRanges, host);
    if (length > longest) [longest, byAddress] = [length, []];
    if (length === longest && length >= 0) byAddress.push(chain);
  }
  const open = byAddress.every(({ match }) => dependsOnClient(match));
  return {
    chains: open && listener.defaultChain !== undefined ? [...byAddress, listener.defaultChain] : byAddress,
    closed: open && listener.defaultChain === undefined,
  };
}

/** How long the longest range is that holds the address: 0 where there are no ranges, -1 where none of them does. */
function matchLength(ranges: readonly string[], host: string): number {
  if (ranges.length === 0) return 0;
  const address = ipaddr.parse(host);
  return ranges.reduce((longest, range) => {
    const [prefix, bits] = ipaddr.parseCIDR(range);
    const holds = prefix.kind() === address.kind() &&
      address.match([prefix, bits] as [typeof address, number]);
    return holds ? Math.max(longest, bits) : longest;
  }, -1);
}

function dependsOnClient(match: FilterChain["match"]): boolean {
  return match.serverNames.length > 0 || match.transportProtocol !== "" ||
    match.applicationProtocols.length > 0 || match.source.length > 0;
}

interface Named {
  readonly target: Target;
  readonly name: string;
}

function targetOfChain(
  { action, endsTls }: FilterChain,
  address: HostPort,
  routes: ReadonlyMap<string, RouteTable>,
  note: (text: string) => void,
): Named | undefined {
  if (endsTls) return undefined;
  if (action.kind === "tcp") return action.tunnel ? undefined : { target: action.target, name: "" };
  if (action.kind === "other") return undefined;
  const table = action.kind === "inline" ? action.routes : routes.get(action.route);
  if (table === undefined) return undefined;
  const hosts = table.virtualHosts;
  const own = hosts.filter((host) => literalsOf(host, address.port).includes(address.host));
  const chosen = own.length > 0 ? own : hosts;
  const [first] = chosen;
  if (first?.catchAll === undefined) return undefined;
  if (chosen.some(({ catchAll }) => catchAll === undefined || !same(catchAll, first.catchAll!))) {
    return undefined;
  }
  for (const host of chosen) noteRoutes(table, host, note);
  return { target: first.catchAll, name: hostNameOf(first) };
}

function noteRoutes(table: RouteTable, host: VirtualHost, note: (text: string) => void): void {
  if (host.needL7.length === 0) return;
  const rest = host.catchAll === undefined ? "left alone" : "its catch-all serves all";
  note(`routes ${table.name}, host ${host.name}: needs L7: ${host.needL7.join(", ")} (${rest})`);
}

function readWildcard(
  { listener, routes }: RoutedListener,
  port: number,
  family: Family,
  note: (text: string) => void,
): Frontend[] {
  const chains = listener.defaultChain === undefined
    ? listener.chains
    : [...listener.chains, listener.defaultChain];
  return chains.flatMap((chain): Frontend[] => {
    const { match, action } = chain;
    if (match.destinationPort !== 0 && match.destinationPort !== port) return [];
    const beyond = action.kind === "other"
      ? action.what
      : chain.endsTls
      ? "TLS that is to end here"
      : action.kind === "tcp" && action.tunnel
      ? "a tunnel"
      : undefined;
    if (action.kind === "other" || beyond !== undefined) {
      note(`a filter chain with ${beyond} needs L7: left alone`);
      return [];
    }
    if (action.kind === "tcp") return readWildcardTcp(chain, action.target, port, family, note);
    if (match.serverNames.length > 0 || match.source.length > 0) {
      note(`HTTP by ${conditionsOf(match)} needs L7: left alone`);
      return [];
    }
    const table = action.kind === "inline" ? action.routes : routes.get(action.route);
    if (table === undefined) {
      note(`its routes ${action.kind === "rds" ? action.route : ""} did not come: left alone`);
      return [];
    }
    return readHosts(table, port, family, note);
  });
}

function readWildcardTcp(
  { match }: FilterChain,
  target: Target,
  port: number,
  family: Family,
  note: (text: string) => void,
): Frontend[] {
  if (dependsOnClient(match)) {
    note(`TCP by ${conditionsOf(match)} needs L7: left alone`);
    return [];
  }
  const ranges = match.prefixRanges.filter((range) => familyOf(range) === family);
  if (match.prefixRanges.length === 0 && !isPassthrough(target)) {
    note(`${clusterNames(target)} for every address on port ${port}: left alone`);
  }
  return ranges.map((range) => {
    const [address, length] = range.split("/");
    const [prefix] = ipaddr.parseCIDR(range);
    const host = Number(length) === (prefix.kind() === "ipv4" ? 32 : 128);
    const network = ipaddr.parse(networkOf(range)).toString();
    const covered = host ? parseAddress(address)! : `${parseAddress(network)!}/${length}`;
    return frontend(covered, port, target, nameByTarget(target, port));
  });
}

/** The first address of a range. */
function networkOf(range: string): string {
  return familyOf(range) === 4
    ? ipaddr.IPv4.networkAddressFromCIDR(range).toString()
    : ipaddr.IPv6.networkAddressFromCIDR(range).toString();
}

function conditionsOf(
  { serverNames, transportProtocol, applicationProtocols, source }: FilterChain["match"],
): string {
  return [
    ...serverNames.map((name) => `server name ${name}`),
    ...transportProtocol === "" ? [] : [`transport ${transportProtocol}`],
    ...applicationProtocols,
    ...source.map((one) => `source ${one}`),
  ].join(", ");
}

/** istiod's own name for a cluster that dials the original destination. */
function isPassthrough({ clusters }: Target): boolean {
  return clusters.every(({ name }) => name === "PassthroughCluster");
}

function clusterNames({ clusters }: Target): string {
  return clusters.map(({ name }) => name).join(", ");
}

/** Hosts that a note names; headless services, which need none, may be many. */
const named = 5;

function readHosts(
  table: RouteTable,
  port: number,
  family: Family,
  note: (text: string) => void,
): Frontend[] {
  const nowhere: string[] = [];
  const frontends = table.virtualHosts.flatMap((host) => {
    const literals = literalsOf(host, port);
    const addresses = literals.filter((address) => familyOf(address) === family);
    const { catchAll } = host;
    if (addresses.length > 0) noteRoutes(table, host, note);
    else if (literals.length === 0 && !host.domains.includes("*")) nowhere.push(host.name);
    if (catchAll === undefined) return [];
    const name = hostNameOf(host);
    return addresses.map((address) => frontend(address, port, catchAll, name));
  });
  if (nowhere.length > 0) {
    const more = nowhere.length > named ? ` and ${nowhere.length - named} more` : "";
    const hosts = nowhere.slice(0, named).join(", ") + more;
    note(`routes ${table.name}: needs L7, for there is no address among the domains (left alone): ${hosts}`);
  }
  return frontends;
}

/** The addresses among a virtual host's domains, those with another port left out. */
function literalsOf({ domains }: VirtualHost, port: number): string[] {
  return domains.flatMap((domain) => {
    const parts = /^(?:\[([^\]]+)\]|([0-9.]+))(?::(\d+))?$/.exec(domain);
    const address = parseAddress(parts ? parts[1] ?? parts[2] : domain);
    return address === undefined || (parts?.[3] !== undefined && Number(parts[3]) !== port) ? [] : [address];
  });
}

/** The first domain that is a host name. */
function hostNameOf({ domains }: VirtualHost): string {
  return domains.find((domain) => /^[a-z0-9_.-]*[a-z_-][a-z0-9_.-]*$/i.test(domain)) ?? "";
}

/**
 * istiod names a cluster `outbound|port|subset|host`. A listener that leads to the clusters of one host on its own port belongs to that
 * host; one that leads elsewhere does not say whose it is.
 */
function nameByTarget({ clusters }: Target, port: number): string {
  const names = new Set(clusters.map(({ name }) => {
    const [direction, itsPort, , host, ...rest] = name.split("|");
    if (host === undefined || rest.length > 0 || direction !== "outbound") return name;
    return Number(itsPort) === port ? host : "";
  }));
  return names.size === 1 ? [...names][0] : "";
}
