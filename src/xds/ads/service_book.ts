/** The services that frontends make up, kept up to date. */

import type { Service } from "../../mesh/mod.ts";
import { frontendKey } from "./frontends.ts";
import { groupFrontends, type ServedFrontend, type ServiceGroup, serviceOf } from "./services.ts";

/** What became of services. */
export interface ServiceChange {
  /** New, or different; they may say the same as before all the same. */
  readonly changed: readonly Service[];
  readonly gone: readonly Service[];
}

export interface ServiceBook {
  /** Frontends came, went, or changed their name or target: all is grouped anew, in steps between which the caller may pause. */
  regroup(frontends: ReadonlyMap<string, ServedFrontend>): Generator<void, ServiceChange>;
  /** Only what is assigned to these frontends changed. */
  refresh(frontends: ReadonlyMap<string, ServedFrontend>, touched: Iterable<string>): ServiceChange;
}

/** @param network of the node */
export function createServiceBook(network: string): ServiceBook {
  let services = new Map<string, Service>();
  let groups = new Map<string, ServiceGroup>();
  return {
    *regroup(frontends) {
      const before = services;
      const changed: Service[] = [];
      services = new Map();
      groups = new Map();
      for (const group of yield* groupFrontends(frontends.values())) {
        const service = serviceOf(group, network);
        services.set(group.hostname, service);
        if (!isSame(before.get(group.hostname), service)) changed.push(service);
        for (const address of group.addresses) {
          for (const { port } of group.ports) groups.set(frontendKey({ address, port }), group);
        }
        yield;
      }
      const gone = [...before].filter(([hostname]) => !services.has(hostname)).map(([, service]) => service);
      return { changed, gone };
    },
    refresh: (frontends, touched) => {
      const concerned = new Set<ServiceGroup>();
      for (const key of touched) {
        const group = groups.get(key);
        if (group !== undefined) concerned.add(group);
      }
      const changed = [...concerned].map(({ hostname, addresses, ports }) => {
        const now = ports.map(({ port }) => frontends.get(frontendKey({ address: addresses[0], port }))!);
        return serviceOf({ hostname, addresses, ports: now }, network);
      });
      for (const service of changed) services.set(service.hostname, service);
      return { changed, gone: [] };
    },
  };
}

/** Whether they surely say the same: what is assigned to a port is the same object as long as nothing changed. */
function isSame(a: Service | undefined, b: Service): boolean {
  const addresses = ({ vips, ranges }: Service) =>
    [...vips, ...ranges.map((one) => ({ address: `${one.address}/${one.prefixLength}` }))]
      .map(({ address }) => address).join();
  return a !== undefined && addresses(a) === addresses(b) && a.assigned!.size === b.assigned!.size &&
    [...b.assigned!].every(([port, assigned]) => a.assigned!.get(port) === assigned);
}
