/** The resources as the translation sees them, by name. */

import type { Assignment, Cluster, Listener, RouteTable } from "./model.ts";

export interface Resources {
  readonly clusters: Lookup<Cluster>;
  readonly assignments: Lookup<Assignment>;
  readonly listeners: Lookup<Listener>;
  readonly routes: Lookup<RouteTable>;
}

export interface Lookup<T> {
  get(name: string): { readonly value: T } | undefined;
  values(): Iterable<{ readonly value: T }>;
}

/** What something names and is not there, such as `endpoints outbound|80||web.shop.svc`. */
export type MissingName = `${"cluster" | "endpoints" | "routes"} ${string}`;
