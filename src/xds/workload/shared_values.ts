/** Values that many resources say alike, kept once: of 100,000 workloads most share node names, localities and port maps. */

import type { Locality, PortMap, ServiceKey } from "../../mesh/mod.ts";

/** What was said before, by what it says. Lives as long as one response is decoded, so that nothing is kept that nobody uses. */
export interface SharedValues {
  text(text: string): string;
  locality(region: string, zone: string, subzone: string): Locality;
  /** A workload's services with its ports. */
  services(services: ReadonlyMap<ServiceKey, PortMap>): ReadonlyMap<ServiceKey, PortMap>;
}

export function createSharedValues(): SharedValues {
  const texts = new Map<string, string>();
  const localities = new Map<string, Locality>();
  const memberships = new Map<string, ReadonlyMap<ServiceKey, PortMap>>();
  const text = (value: string) => {
    const known = texts.get(value);
    if (known !== undefined) return known;
    texts.set(value, value);
    return value;
  };
  return {
    text,
    locality: (region, zone, subzone) => {
      const key = `${region}\0${zone}\0${subzone}`;
      let known = localities.get(key);
      if (known === undefined) localities.set(key, known = { region, zone, subzone });
      return known;
    },
    services: (services) => {
      let key = "";
      for (const [service, ports] of services) {
        key += `${service}\0`;
        for (const [port, target] of ports) key += `${port}>${target},`;
      }
      const known = memberships.get(key);
      if (known !== undefined) return known;
      memberships.set(key, services);
      return services;
    },
  };
}
