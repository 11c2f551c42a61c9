/** The resources as the translation sees them, by name. */

import type { Names } from "./names.ts";
import type { Assignment, Cluster, Listener, RouteTable } from "./model.ts";

export interface Resources {
  readonly clusters: Lookup<Cluster>;
  readonly assignments: Lookup<Assignment>;
  readonly listeners: Lookup<Listener>;
  readonly routes: Lookup<RouteTable>;
  /** `undefined` where nobody looks up names: clusters that need it are left alone. */
  readonly names: Pick<Names, "addressesOf"> | undefined;
}

export interface Lookup<T> {
  get(name: string): { readonly value: T } | undefined;
  values(): Iterable<{ readonly value: T }>;
}

/** What something names and is not there, such as `endpoints outbound|80||web.shop.svc`. */
export type MissingName = `${"cluster" | "endpoints" | "routes" | "addresses of"} ${string}`;
