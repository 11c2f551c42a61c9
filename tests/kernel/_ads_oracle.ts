/**
 * Who serves which address and port, by the recorder's own account of the resources (`expected.json`): written apart from weft's
 * translation, and only for what the recordings of services without routes that need L7 hold.
 */

/** `address:port` → `address:port` of an endpoint → its weight, which is exact. */
export type Served = ReadonlyMap<string, ReadonlyMap<string, number>>;

interface Locality {
  readonly priority: number;
  readonly weight: number;
  readonly "endpoints[addr,health,weight,additional]": readonly [string, string, number, string[]?][];
}

interface Target {
  readonly cluster?: string;
  readonly weightedClusters?: readonly [string, number][];
}

interface Chain {
  readonly tcpCluster?: string;
  readonly tcpWeightedClusters?: readonly [string, number][];
  readonly routeName?: string;
}

/** A client's state, as far as it is needed. */
export interface SotwState {
  readonly clusters: readonly {
    readonly name: string;
    readonly type: string;
    readonly lbPolicy: string;
    readonly commonLb?: { readonly localityWeighted?: boolean };
  }[];
  readonly endpoints: Readonly<Record<string, readonly Locality[]>>;
  readonly listeners: readonly {
    readonly name: string;
    readonly address: string;
    readonly additionalAddresses?: readonly string[];
    readonly trafficDirection?: string;
    readonly filterChains: readonly Chain[];
    readonly defaultFilterChain?: Chain;
  }[];
  readonly routes: readonly {
    readonly name: string;
    readonly virtualHosts: readonly { readonly domains: readonly string[]; readonly catchAll: Target }[];
  }[];
}

const isV6 = (address: string) => address.startsWith("[");
const portOf = (address: string) => address.slice(address.lastIndexOf(":") + 1);
const isWildcard = (address: string) => address.startsWith("0.0.0.0:") || address.startsWith("[::]:");

/** The frontends of HTTP services: the literals among the domains of the routes of wildcard listeners. */
export function httpServed(state: SotwState): Served {
  const served = new Map<string, ReadonlyMap<string, number>>();
  for (const { address, additionalAddresses = [], trafficDirection, filterChains } of state.listeners) {
    if (trafficDirection !== "OUTBOUND") continue;
    for (const wild of [address, ...additionalAddresses].filter(isWildcard)) {
      const names = filterChains.map(({ routeName }) => routeName);
      for (const { virtualHosts } of state.routes.filter(({ name }) => names.includes(name))) {
        for (const { domains, catchAll: { cluster, weightedClusters } } of virtualHosts) {
          for (const literal of domains.filter((domain) => /^([\d.]+|\[[\da-f:]+\])$/.test(domain))) {
            if (isV6(literal) !== isV6(wild)) continue;
            const to = weightedClusters ?? [[cluster!, 1]];
            put(served, state, `${literal}:${portOf(wild)}`, to);
          }
        }
      }
    }
  }
  return served;
}

/** The frontends of TCP services: listeners with an address, and one filter chain for all. */
export function tcpServed(state: SotwState): Served {
  const served = new Map<string, ReadonlyMap<string, number>>();
  for (const listener of state.listeners) {
    const { address, additionalAddresses = [], trafficDirection, filterChains } = listener;
    const [{ tcpCluster, tcpWeightedClusters }] = filterChains;
    if (trafficDirection !== "OUTBOUND" || filterChains.length > 1 || isWildcard(address)) continue;
    const to = tcpWeightedClusters ?? (tcpCluster === undefined ? [] : [[tcpCluster, 1] as const]);
    for (const one of [address, ...additionalAddresses]) if (to.length > 0) put(served, state, one, to);
  }
  return served;
}

/** The frontends of clusters that give each client an endpoint of its own. */
export function servedByHash(state: SotwState): ReadonlySet<string> {
  const clusters = state.clusters.map((cluster) =>
    ["RING_HASH", "MAGLEV"].includes(cluster.lbPolicy) ? cluster : { ...cluster, type: "not asked for" }
  );
  const hashing = { ...state, clusters };
  return new Set([...httpServed(hashing).keys(), ...tcpServed(hashing).keys()]);
}

function put(
  served: Map<string, ReadonlyMap<string, number>>,
  state: SotwState,
  frontend: string,
  to: readonly (readonly [string, number])[],
): void {
  const clusters = to.map(([name]) => state.clusters.find((cluster) => cluster.name === name)!);
  if (clusters.some(({ type }) => type !== "EDS")) return;
  const weights = new Map<string, number>();
  for (const [i, [name, clusterWeight]] of to.entries()) {
    const endpoints = nearest(
      state.endpoints[name],
      isV6(frontend),
      !!clusters[i].commonLb?.localityWeighted,
    );
    const total = endpoints.reduce((sum, { weight }) => sum + weight, 0);
    for (const { address, weight } of endpoints) {
      weights.set(address, (weights.get(address) ?? 0) + clusterWeight * weight / total);
    }
  }
  served.set(frontend, weights);
}

/** The endpoints of one family of the nearest priority with a healthy one. */
function nearest(localities: readonly Locality[], v6: boolean, localityWeighted: boolean) {
  const all = localities.flatMap(({ priority, weight: localityWeight, ...locality }) => {
    const usable = locality["endpoints[addr,health,weight,additional]"].filter(([, health]) =>
      health !== "UNHEALTHY"
    ).flatMap(([first, , weight, additional = []]) => {
      const address = [first, ...additional].find((address) => isV6(address) === v6);
      return address === undefined ? [] : [{ address, weight, priority }];
    });
    const total = usable.reduce((sum, { weight }) => sum + weight, 0);
    return localityWeighted
      ? usable.map((one) => ({ ...one, weight: localityWeight * one.weight / total }))
      : usable;
  });
  const first = Math.min(...all.map(({ priority }) => priority));
  const seen = new Set<string>();
  return all.filter(({ priority, address }) => priority === first && !seen.has(address) && seen.add(address));
}
