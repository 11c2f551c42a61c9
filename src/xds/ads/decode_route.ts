/** RouteConfiguration → model. */

import { ResourceError } from "../resource_error.ts";
import { hashesOf } from "./hash_policy.ts";
import {
  type RouteConfigurationMessage,
  routeConfigurationType,
  type RouteMatchMessage,
  type RouteMessage,
  type VirtualHostMessage,
} from "./messages.ts";
import type { RouteTable, Target, VirtualHost } from "./model.ts";

/** @throws {ResourceError} where it makes no sense */
export function decodeRoute(bytes: Uint8Array): RouteTable {
  const routes = routeTableOf(routeConfigurationType.decode(bytes));
  if (routes.name === "") throw new ResourceError("the name is empty");
  return routes;
}

/** @throws {ResourceError} where it makes no sense */
export function routeTableOf({ name, virtual_hosts }: RouteConfigurationMessage): RouteTable {
  const domains = new Set<string>();
  for (const host of virtual_hosts) {
    if (host.domains.length === 0) throw new ResourceError(`virtual host ${host.name} has no domains`);
    for (const domain of host.domains) {
      if (domains.has(domain.toLowerCase())) {
        throw new ResourceError(`domain ${domain} is in two virtual hosts`);
      }
      domains.add(domain.toLowerCase());
    }
  }
  return { name, virtualHosts: virtual_hosts.map(virtualHostOf) };
}

function virtualHostOf({ name, domains, routes, matcher }: VirtualHostMessage): VirtualHost {
  // Routes after one that takes everything are never reached.
  const last = routes.findIndex(({ match }) => match !== null && takesAll(match));
  const catchAll = last === -1 ? undefined : targetOf(routes[last]);
  const reached = last === -1 ? routes : routes.slice(0, catchAll === undefined ? last + 1 : last);
  const needL7 = reached.map((route, i) => route.name || `route ${i}`);
  if (matcher !== null) needL7.push("matcher");
  return { name, domains, catchAll, needL7 };
}

function targetOf({ name, route }: RouteMessage): Target | undefined {
  const hashes = hashesOf(route?.hash_policy ?? []);
  const weighted = route?.weighted_clusters?.clusters;
  if (weighted !== undefined) {
    const clusters = weighted.map(({ name, weight }) => ({ name, weight: weight?.value ?? 0 }));
    if (clusters.some((cluster) => cluster.name === "")) return undefined;
    if (clusters.every(({ weight }) => weight === 0)) {
      throw new ResourceError(`the weights of route ${name} add up to 0`);
    }
    return { weighted: true, clusters, hashes };
  }
  return route?.cluster
    ? { weighted: false, clusters: [{ name: route.cluster, weight: 1 }], hashes }
    : undefined;
}

/** Every request, whatever is in it. */
function takesAll(match: RouteMatchMessage): boolean {
  const lists = [
    match.headers,
    match.query_parameters,
    match.dynamic_metadata,
    match.filter_state,
    match.cookies,
  ];
  const conditions = [
    match.grpc,
    match.runtime_fraction,
    match.safe_regex,
    match.tls_context,
    match.connect_matcher,
    match.path_match_policy,
  ];
  return match.prefix === "/" && lists.every((list) => list.length === 0) &&
    conditions.every((condition) => condition === null);
}
