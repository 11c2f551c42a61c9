/** Messages of the workload API for tests. */

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
