/** Messages of the workload API for tests. */

import { addressToBytes, familyOf } from "../../src/mesh/mod.ts";
import type { Resource } from "../../src/xds/proto/mod.ts";
import {
  addressType,
  addressUrl,
  type AuthorizationMessage,
  authorizationType,
  authorizationUrl,
  type ServiceMessage,
  type WorkloadMessage,
} from "../../src/xds/workload/messages.ts";

export { addressUrl, authorizationUrl };

/** A pod `10.1.0.<last>`, named by its uid. */
export function workloadResource(
  uid: string,
  message: Partial<WorkloadMessage> = {},
  resource: Partial<Resource> = {},
): Resource {
  const workload = { uid, namespace: "shop", name: uid, addresses: [Uint8Array.of(10, 1, 0, 1)], ...message };
  return addressResource(uid, { workload: workload as WorkloadMessage }, resource);
}

/** A service `<ns>/<hostname>` with the VIP 10.96.0.1 and port 80. */
export function serviceResource(
  key: string,
  message: Partial<ServiceMessage> = {},
  resource: Partial<Resource> = {},
): Resource {
  const [namespace, hostname] = key.split("/");
  const service = {
    name: hostname.split(".")[0],
    namespace,
    hostname,
    addresses: [{ network: "", address: Uint8Array.of(10, 96, 0, 1) }],
    ports: [{ service_port: 80, target_port: 8080 }],
    ...message,
  };
  return addressResource(key, { service: service as ServiceMessage }, resource);
}

function addressResource(
  name: string,
  message: { workload: WorkloadMessage } | { service: ServiceMessage },
  resource: Partial<Resource>,
): Resource {
  return {
    name,
    version: "1",
    aliases: [],
    resource: { type_url: addressUrl, value: addressType.encode(message) },
    ...resource,
  };
}

/** A policy `<ns>/<name>` that allows nothing. */
export function policyResource(key: string, message: Partial<AuthorizationMessage> = {}): Resource {
  const [namespace, name] = key.split("/");
  const value = authorizationType.encode({ name, namespace, scope: 1, ...message });
  return { name: key, version: "", aliases: [], resource: { type_url: authorizationUrl, value } };
}

/**
 * A whole mesh as the workload API tells it: each server is a workload, member of those services that list it.
 *
 * @param services name → VIPs, and the names of its servers, which serve port 80 on 8080
 */
export function meshResources(
  services: Readonly<
    Record<string, { readonly vips: readonly string[]; readonly members: readonly string[] }>
  >,
  servers: Readonly<Record<string, { readonly v4: string; readonly v6: string }>>,
): Resource[] {
  const port = { service_port: 80, target_port: 8080, app_protocol: 0 };
  const key = (name: string) => `test/${name}.test.mesh`;
  return [
    ...Object.entries(servers).map(([name, { v4, v6 }]) => {
      const memberships = Object.entries(services).filter(([, { members }]) => members.includes(name));
      return workloadResource(name, {
        addresses: [ipBytes(v4), ipBytes(v6)],
        services: Object.fromEntries(memberships.map(([service]) => [key(service), { ports: [port] }])),
      });
    }),
    ...Object.entries(services).map(([name, { vips }]) =>
      serviceResource(key(name), {
        addresses: vips.map((vip) => ({ network: "", address: ipBytes(vip) }) as never),
        ports: [port],
      })
    ),
  ];
}

/** 4 or 16 bytes. */
export function ipBytes(address: string): Uint8Array {
  const bytes = addressToBytes(address);
  return familyOf(address) === 4 ? bytes.slice(12) : bytes;
}
