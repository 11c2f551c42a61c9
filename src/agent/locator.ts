/** From the kernel's number of an endpoint to the endpoint. */

import {
  type AppliedEndpoint,
  asideKey,
  type Controller,
  type Datapath,
  endpointKey,
} from "../dataplane/mod.ts";
import type { ServiceKey } from "../mesh/mod.ts";

/** An endpoint by its names. */
export interface Located {
  readonly service: ServiceKey;
  /** `DesiredServicePort.key` */
  readonly port: string;
  /** `endpointKey` */
  readonly endpoint: string;
}

/** Where an endpoint is. */
interface Place extends Omit<Located, "endpoint"> {
  readonly row: AppliedEndpoint;
}

export interface Locator {
  /** The endpoint that has the index now; `undefined` where another one has it, or nobody. */
  find(index: number, generation: number): Located | undefined;
  /** @param key `asideKey` */
  indexOf(service: ServiceKey, key: string): number | undefined;
}

/** Looks through all endpoints when it is first asked after a flush, and not again before the next. */
export function createLocator(
  datapath: Pick<Datapath, "applied">,
  controller: Pick<Controller, "state">,
): Locator {
  let flushes = -1;
  let byIndex = new Map<number, Place>();

  function refresh(): void {
    if (controller.state.flushes === flushes) return;
    flushes = controller.state.flushes;
    byIndex = new Map();
    for (const [service, { servicePorts }] of datapath.applied.services) {
      for (const [port, { tiers }] of servicePorts) {
        for (const { rows } of tiers.values()) {
          for (const row of rows) byIndex.set(row.index, { service, port, row });
        }
      }
    }
  }

  return {
    find: (index, generation) => {
      refresh();
      const found = byIndex.get(index);
      if (found?.row.generation !== generation) return undefined;
      const { service, port, row } = found;
      return { service, port, endpoint: endpointKey(row) };
    },
    indexOf: (service, key) => {
      const ports = datapath.applied.services.get(service)?.servicePorts ?? [];
      for (const [port, { tiers }] of ports) {
        for (const { rows } of tiers.values()) {
          const row = rows.find((row) => asideKey(port, endpointKey(row)) === key);
          if (row) return row.index;
        }
      }
      return undefined;
    },
  };
}
