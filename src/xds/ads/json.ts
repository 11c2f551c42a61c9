/** Resources of mode ads as JSON, for `weft resources`. What is empty is left out. */

import { formatHostPort } from "./decode_address.ts";
import type {
  Assignment,
  ChainMatch,
  Cluster,
  FilterChain,
  LbEndpoint,
  Listener,
  RouteTable,
  Target,
} from "./model.ts";

export function clusterJson(cluster: Cluster): unknown {
  const { panicThreshold: healthyPanicThreshold, localityWeighted } = cluster;
  return {
    name: cluster.name,
    type: cluster.type,
    lbPolicy: cluster.lbPolicy,
    ...cluster.maxConnections !== undefined && { maxConnections: cluster.maxConnections },
    ...cluster.edsName !== "" && { edsServiceName: cluster.edsName },
    ...cluster.lookupFamily !== undefined && { dnsLookupFamily: `V${cluster.lookupFamily}_ONLY` },
    ...cluster.assignment && { loadAssignment: assignmentJson(cluster.assignment) },
    ...(healthyPanicThreshold !== undefined || localityWeighted) && {
      commonLb: {
        ...healthyPanicThreshold !== undefined && { healthyPanicThreshold },
        ...localityWeighted && { localityWeighted },
      },
    },
    ...cluster.transport !== "" && { transportSocket: cluster.transport },
  };
}

export function assignmentJson({ localities }: Assignment): unknown {
  return localities.map(({ locality, priority, weight, endpoints }) => ({
    locality,
    priority,
    weight,
    "endpoints[addr,health,weight,additional]": endpoints.map((endpoint) => [
      endpointText(endpoint),
      endpoint.health,
      endpoint.weight,
      ...endpoint.additional.length > 0 ? [endpoint.additional.map(formatHostPort)] : [],
    ]),
  }));
}

function endpointText({ host, port, via }: LbEndpoint): string {
  if (via === "") return formatHostPort({ host, port });
  return `internal:${via}/${port === 0 ? host : formatHostPort({ host, port })}`;
}

export function listenerJson(listener: Listener): unknown {
  return {
    name: listener.name,
    address: listener.address === undefined ? "" : formatHostPort(listener.address),
    ...listener.additional.length > 0 && { additionalAddresses: listener.additional.map(formatHostPort) },
    ...listener.useOriginalDst !== undefined && { useOriginalDst: listener.useOriginalDst },
    ...listener.bindToPort !== undefined && { bindToPort: listener.bindToPort },
    ...listener.direction !== "" && { trafficDirection: listener.direction },
    filterChains: listener.chains.map(chainJson),
    ...listener.defaultChain && { defaultFilterChain: chainJson(listener.defaultChain) },
  };
}

function chainJson({ name, match, action }: FilterChain): unknown {
  const matching = matchJson(match);
  return {
    ...name !== "" && { name },
    ...Object.keys(matching).length > 0 && { match: matching },
    ...action.kind === "tcp" && targetJson(action.target, "tcpCluster", "tcpWeightedClusters"),
    ...action.kind === "tcp" && action.hash !== "" && { tcpHashPolicy: action.hash },
    ...action.kind === "rds" && { routeName: action.route },
    ...action.kind === "inline" && { inlineRoute: routeJson(action.routes) },
    ...action.kind === "other" && { unsupported: action.what },
  };
}

function matchJson(match: ChainMatch): Record<string, unknown> {
  return {
    ...match.destinationPort !== 0 && { destinationPort: match.destinationPort },
    ...match.prefixRanges.length > 0 && { prefixRanges: match.prefixRanges },
    ...match.serverNames.length > 0 && { serverNames: match.serverNames },
    ...match.transportProtocol !== "" && { transportProtocol: match.transportProtocol },
    ...match.applicationProtocols.length > 0 && { applicationProtocols: match.applicationProtocols },
    ...match.source.length > 0 && { source: match.source },
  };
}

export function routeJson({ name, virtualHosts }: RouteTable): unknown {
  return {
    ...name !== "" && { name },
    virtualHosts: virtualHosts.map(({ name, domains, catchAll, needL7 }) => ({
      name,
      domains,
      ...catchAll && { catchAll: targetJson(catchAll, "cluster", "weightedClusters") },
      ...needL7.length > 0 && { needL7 },
    })),
  };
}

function targetJson({ weighted, clusters }: Target, one: string, several: string): Record<string, unknown> {
  return weighted
    ? { [several]: clusters.map(({ name, weight }) => [name, weight]) }
    : { [one]: clusters[0].name };
}
