/**
 * From resources to the services of the mesh, make before break: what is not whole yet leaves what was there before in force.
 *
 * A listener counts from when its routes came, a frontend from when the endpoints of its clusters came; until then the old ones
 * serve. What nobody names any more goes last: not while anything new is waited for.
 */

import { createEffectiveListeners } from "./effective_listeners.ts";
import {
  type Frontend,
  type ListenerFrontends,
  mergeFrontends,
  readListener,
  type RoutedListener,
} from "./frontends.ts";
import { createResolver } from "./resolve_target.ts";
import type { MissingName, Resources } from "./resources.ts";
import { createServiceBook, type ServiceChange } from "./service_book.ts";
import type { ServedFrontend } from "./services.ts";
import { unhonoured } from "./unhonoured.ts";

/** A mesh may have thousands of hosts that need L7. */
const maxListenerNotes = 50;

/** What a change may concern. */
export interface Change {
  /** Clusters, listeners or routes changed, or something was given up: all is looked at. */
  readonly all: boolean;
  /** The names of the assignments that changed. */
  readonly assignments: Iterable<string>;
}

export interface Translator {
  /**
   * Translates a change, in steps between which the caller may pause. The resources must not change until it is done.
   *
   * @param gaveUp whether what is missing is not waited for any longer
   */
  translate(change: Change, gaveUp: (missing: MissingName) => boolean): Generator<void, ServiceChange>;
  /** What serves or would serve something and is not there. */
  readonly missing: ReadonlySet<MissingName>;
  /** What is not done as the control plane asks, one line each. */
  readonly notes: readonly string[];
}

/** @param network of the node */
export function createTranslator(resources: Resources, network: string): Translator {
  const listeners = createEffectiveListeners(resources);
  const resolve = createResolver(resources);
  const book = createServiceBook(network);
  const read = new WeakMap<RoutedListener, ListenerFrontends>();
  /** What listeners and routes ask for. */
  let plan: ReadonlyMap<string, Frontend> = new Map();
  const byAssignment = new Map<string, Set<string>>();
  /** What is in force. */
  const served = new Map<string, ServedFrontend>();
  const missingOf = new Map<string, readonly MissingName[]>();
  let missingRoutes: readonly MissingName[] = [];
  let missing: ReadonlySet<MissingName> = new Set();
  let listenerNotes: readonly string[] = [];
  let notes: readonly string[] | undefined;

  function* makePlan(): Generator<void> {
    const all: ListenerFrontends[] = [];
    for (const one of listeners.values()) {
      const frontends = read.get(one) ?? readListener(one);
      read.set(one, frontends);
      all.push(frontends);
      yield;
    }
    const merged = mergeFrontends(all);
    plan = merged.frontends;
    listenerNotes = merged.notes;
    byAssignment.clear();
    for (const [key, { target }] of plan) {
      for (const { name } of target.clusters) {
        const edsName = resources.clusters.get(name)?.value.edsName;
        if (!edsName) continue;
        byAssignment.set(edsName, (byAssignment.get(edsName) ?? new Set()).add(key));
      }
      yield;
    }
    for (const key of [...missingOf.keys()]) if (!plan.has(key)) missingOf.delete(key);
  }

  /** Brings a frontend up to date, unless it has to wait. @returns what of it changed */
  const update = (
    key: string,
    gaveUp: (missing: MissingName) => boolean,
  ): "nothing" | "assigned" | "everything" => {
    const planned = plan.get(key)!;
    const { missing, assigned } = resolve(planned.target, gaveUp);
    if (missing.length > 0) missingOf.set(key, missing);
    else missingOf.delete(key);
    if (assigned === undefined) return "nothing";
    if (assigned === "left alone") return served.delete(key) ? "everything" : "nothing";
    const old = served.get(key);
    if (old?.served === assigned && old.targetKey === planned.targetKey && old.name === planned.name) {
      return "nothing";
    }
    served.set(key, { ...planned, served: assigned });
    return old?.targetKey === planned.targetKey && old.name === planned.name ? "assigned" : "everything";
  };

  return {
    *translate({ all, assignments }, gaveUp) {
      if (all) {
        missingRoutes = listeners.settle(gaveUp);
        yield* makePlan();
      }
      const concerned = all
        ? plan.keys()
        : new Set([...assignments].flatMap((name) => [...byAssignment.get(name) ?? []]));
      const touched = new Set<string>();
      let regroup = false;
      for (const key of concerned) {
        const changed = update(key, gaveUp);
        if (changed === "everything") regroup = true;
        else if (changed === "assigned") touched.add(key);
        yield;
      }
      missing = new Set([...missingRoutes, ...[...missingOf.values()].flat()]);
      if ([...missing].every(gaveUp)) {
        for (const key of [...served.keys()]) if (!plan.has(key)) regroup = served.delete(key) || regroup;
      }
      notes = undefined;
      return regroup ? yield* book.regroup(served) : book.refresh(served, touched);
    },
    get missing() {
      return missing;
    },
    get notes() {
      const rest = listenerNotes.length - maxListenerNotes;
      notes ??= [
        ...listenerNotes.slice(0, maxListenerNotes),
        ...rest > 0 ? [`and ${rest} more notes on listeners`] : [],
        ...unhonoured([...plan.values()].map(({ target }) => target), resources),
      ];
      return notes;
    },
  };
}
