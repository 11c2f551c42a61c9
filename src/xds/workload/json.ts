/** Resources of the workload API as `weft resources -o json` shows them: what is empty is left out. */

import { enumName } from "../proto/mod.ts";
import { ipText } from "./ip.ts";
import {
  type AuthorizationMessage,
  type GatewayMessage,
  hasLength,
  type MatchMessage,
  type NetworkAddressMessage,
  type PortMessage,
  type PrefixMessage,
  type ServiceMessage,
  type StringMatchMessage,
  type WorkloadMessage,
} from "./messages.ts";

const statuses = ["HEALTHY", "UNHEALTHY"];
const networkModes = ["STANDARD", "HOST_NETWORK"];
const tunnelProtocols = ["NONE", "HBONE", "LEGACY_ISTIO_MTLS"];
const applicationTunnels = ["NONE", "PROXY"];
const workloadTypes = ["DEPLOYMENT", "CRONJOB", "POD", "JOB"];
const appProtocols = ["UNKNOWN", "HTTP11", "HTTP2", "GRPC", "TCP", "TLS"];
const ipFamilies = ["AUTOMATIC", "IPV4_ONLY", "IPV6_ONLY", "DUAL"];
const visibilities = ["PUBLIC", "NAMESPACE"];
const modes = ["UNSPECIFIED_MODE", "STRICT", "FAILOVER", "PASSTHROUGH"];
const healthPolicies = ["ONLY_HEALTHY", "ALLOW_ALL"];
const scopes = ["UNSPECIFIED_SCOPE", "REGION", "ZONE", "SUBZONE", "NODE", "CLUSTER", "NETWORK"];
const policyScopes = ["GLOBAL", "NAMESPACE", "WORKLOAD_SELECTOR"];
const actions = ["ALLOW", "DENY"];

/** The fields that say something. */
function filled(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const empty = (value: unknown) =>
    value === "" || value === false || value === null || value === undefined ||
    Array.isArray(value) && value.length === 0;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !empty(value)));
}

export function workloadJson(workload: WorkloadMessage): Record<string, unknown> {
  const { application_tunnel: tunnel, capacity, locality } = workload;
  return {
    uid: workload.uid,
    name: workload.name,
    namespace: workload.namespace,
    addresses: workload.addresses.map(ipText),
    network: workload.network,
    clusterId: workload.cluster_id,
    networkMode: enumName(networkModes, workload.network_mode),
    status: enumName(statuses, workload.status),
    tunnelProtocol: enumName(tunnelProtocols, workload.tunnel_protocol),
    workloadType: enumName(workloadTypes, workload.workload_type),
    services: Object.fromEntries(
      Object.entries(workload.services).map(([key, { ports }]) => [key, ports.map(portJson)]),
    ),
    ...filled({
      hostname: workload.hostname,
      trustDomain: workload.trust_domain,
      serviceAccount: workload.service_account,
      waypoint: workload.waypoint && gatewayJson(workload.waypoint),
      networkGateway: workload.network_gateway && gatewayJson(workload.network_gateway),
      node: workload.node,
      canonicalName: workload.canonical_name,
      canonicalRevision: workload.canonical_revision,
      workloadName: workload.workload_name,
      nativeTunnel: workload.native_tunnel,
      applicationTunnel: tunnel &&
        { protocol: enumName(applicationTunnels, tunnel.protocol), port: tunnel.port },
      authorizationPolicies: workload.authorization_policies,
      locality: locality && { region: locality.region, zone: locality.zone, subzone: locality.subzone },
      capacity: capacity?.value,
    }),
  };
}

export function serviceJson(service: ServiceMessage): Record<string, unknown> {
  const { load_balancing: balancing } = service;
  return {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    vips: service.addresses.map(addressJson),
    ports: service.ports.map(portJson),
    ipFamilies: enumName(ipFamilies, service.ip_families),
    ...filled({
      canonical: service.canonical,
      subjectAltNames: service.subject_alt_names,
      waypoint: service.waypoint && gatewayJson(service.waypoint),
      ingressUseWaypoint: service.ingress_use_waypoint,
      weightedWaypoints: service.weighted_waypoints.map(({ destination, weight }) => ({
        ...destination ? gatewayJson(destination) : {},
        weight,
      })),
      visibility: service.visibility === 0 ? "" : enumName(visibilities, service.visibility),
      loadBalancing: balancing && {
        routingPreference: balancing.routing_preference.map((scope) => enumName(scopes, scope)),
        mode: enumName(modes, balancing.mode),
        healthPolicy: enumName(healthPolicies, balancing.health_policy),
      },
    }),
  };
}

export function policyJson(policy: AuthorizationMessage): Record<string, unknown> {
  return {
    name: policy.name,
    namespace: policy.namespace,
    scope: enumName(policyScopes, policy.scope),
    action: enumName(actions, policy.action),
    ...filled({ dryRun: policy.dry_run }),
    "groups(or)/rules(and)/matches(or)": policy.groups.map(({ rules }) =>
      rules.map(({ matches }) => matches.map(matchJson))
    ),
  };
}

function matchJson(match: MatchMessage): Record<string, unknown> {
  const accounts = (list: MatchMessage["service_accounts"]) =>
    list.map(({ namespace, service_account }) => `${namespace}/${service_account}`);
  return filled({
    namespaces: match.namespaces.map(stringMatchText),
    notNamespaces: match.not_namespaces.map(stringMatchText),
    principals: match.principals.map(stringMatchText),
    notPrincipals: match.not_principals.map(stringMatchText),
    sourceIps: match.source_ips.map(prefixText),
    notSourceIps: match.not_source_ips.map(prefixText),
    destinationIps: match.destination_ips.map(prefixText),
    notDestinationIps: match.not_destination_ips.map(prefixText),
    destinationPorts: match.destination_ports,
    notDestinationPorts: match.not_destination_ports,
    serviceAccounts: accounts(match.service_accounts),
    notServiceAccounts: accounts(match.not_service_accounts),
  });
}

function stringMatchText(match: StringMatchMessage): string {
  if (match.presence) return "presence";
  const kind = (["exact", "prefix", "suffix"] as const).find((kind) => Object.hasOwn(match, kind));
  return kind ? `${kind}:${match[kind]}` : "nothing";
}

function prefixText({ address, length }: PrefixMessage): string {
  return `${ipText(address)}/${length}`;
}

function portJson({ service_port, target_port, app_protocol }: PortMessage): Record<string, unknown> {
  return {
    servicePort: service_port,
    targetPort: target_port,
    ...app_protocol === 0 ? {} : { appProtocol: enumName(appProtocols, app_protocol) },
  };
}

function addressJson(address: NetworkAddressMessage): string {
  const text = `${address.network}/${ipText(address.address)}`;
  return hasLength(address) ? `${text}/${address.length}` : text;
}

function gatewayJson({ hostname, address, hbone_mtls_port }: GatewayMessage): Record<string, unknown> {
  return {
    ...address ? { address: addressJson(address) } : {},
    ...hostname ? { hostname: `${hostname.namespace}/${hostname.hostname}` } : {},
    hboneMtlsPort: hbone_mtls_port,
  };
}
