/** The services that frontends make up, kept up to date. */

import type { Service } from "../../mesh/mod.ts";
import { groupFrontends, type ServedFrontend, type ServiceGroup, serviceOf } from "./services.ts";

/** What became of services. */
export interface ServiceChange {
  /** New, or put together anew; they may say the same as before. */
  readonly changed: readonly Service[];
  readonly gone: readonly Service[];
}

export interface ServiceBook {
  /** Frontends came, went, or changed their name or target: all services are put together anew. */
  regroup(frontends: ReadonlyMap<string, ServedFrontend>): ServiceChange;
  /** Only the tiers of these frontends changed. */
  refresh(frontends: ReadonlyMap<string, ServedFrontend>, touched: Iterable<string>): ServiceChange;
}

/** The key of a frontend. */
export function frontendKey(address: string, port: number): string {
  return `${address}|${port}`;
}

/** @param network of the node */
export function createServiceBook(network: string): ServiceBook {
  let services = new Map<string, Service>();
  let groups = new Map<string, ServiceGroup>();
  return {
    regroup: (frontends) => {
      const before = services;
      services = new Map();
      groups = new Map();
      for (const group of groupFrontends(frontends.values())) {
        services.set(group.hostname, serviceOf(group, network));
        for (const address of group.addresses) {
          for (const { port } of group.ports) groups.set(frontendKey(address, port), group);
        }
      }
      const gone = [...before].filter(([hostname]) => !services.has(hostname)).map(([, service]) => service);
      return { changed: [...services.values()], gone };
    },
    refresh: (frontends, touched) => {
      const concerned = new Set<ServiceGroup>();
      for (const key of touched) {
        const group = groups.get(key);
        if (group !== undefined) concerned.add(group);
      }
      const changed = [...concerned].map(({ hostname, addresses, ports }) => {
        const now = ports.map(({ port }) => frontends.get(frontendKey(addresses[0], port))!);
        return serviceOf({ hostname, addresses, ports: now }, network);
      });
      for (const service of changed) services.set(service.hostname, service);
      return { changed, gone: [] };
    },
  };
}
