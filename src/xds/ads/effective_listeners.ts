/** Listeners count from when their routes came; until then what they were before stays in force. */

import type { RoutedListener } from "./frontends.ts";
import type { RouteTable } from "./model.ts";
import type { MissingName, Resources } from "./resources.ts";
import { routeNamesOf } from "./subscriptions.ts";

export interface EffectiveListeners {
  /** Looks at all listeners anew. @returns the routes that are missing */
  settle(gaveUp: (missing: MissingName) => boolean): MissingName[];
  /** The same objects as before where nothing changed. */
  values(): Iterable<RoutedListener>;
}

export function createEffectiveListeners({ listeners, routes }: Resources): EffectiveListeners {
  const effective = new Map<string, RoutedListener>();
  return {
    settle: (gaveUp) => {
      const missing: MissingName[] = [];
      const present = new Set<string>();
      for (const { value: listener } of listeners.values()) {
        present.add(listener.name);
        const known = new Map<string, RouteTable>();
        const lacking: MissingName[] = [];
        for (const name of routeNamesOf(listener)) {
          const table = routes.get(name)?.value;
          if (table === undefined) lacking.push(`routes ${name}`);
          else known.set(name, table);
        }
        for (const name of lacking) missing.push(name);
        if (!lacking.every(gaveUp)) continue;
        const old = effective.get(listener.name);
        if (old?.listener === listener && sameRoutes(old.routes, known)) continue;
        effective.set(listener.name, { listener, routes: known });
      }
      for (const name of [...effective.keys()]) if (!present.has(name)) effective.delete(name);
      return missing;
    },
    values: () => effective.values(),
  };
}

function sameRoutes(a: ReadonlyMap<string, RouteTable>, b: ReadonlyMap<string, RouteTable>): boolean {
  return a.size === b.size && [...a].every(([name, table]) => b.get(name) === table);
}
