/**
 * The flush controller: moves the kernel from the applied snapshot to the newest one.
 *
 * Handing in a snapshot never waits. While a flush runs, newer snapshots pile up into one, and there is one flush in a turn of the
 * event loop: what was received together is flushed together, and a source that never rests leaves everything else its turn. A flush
 * that fails leaves the kernel as it was; it is tried again with backoff, and when a newer snapshot comes.
 */

import {
  changedServices,
  emptySnapshot,
  type ServiceChange,
  type ServiceKey,
  type Snapshot,
} from "../mesh/mod.ts";
import { inSlices, nextTurn, type Slices, type Steps, timedSlices } from "../host/mod.ts";
import { compileInSteps, type CompileNode } from "./compile.ts";
import { compileEdit, type CompileInput } from "./compile_edit.ts";
import type { Datapath, FlushReport } from "./datapath.ts";
import type { Aside } from "./desired.ts";
import { KernelStateUnknown } from "./flush.ts";
import { isRanked } from "./part.ts";
import type { ServiceTarget } from "./plan/mod.ts";

/** What the controller says of itself. */
export interface ControllerState {
  /** What the kernel really holds; the empty snapshot before the first flush. */
  readonly applied: Snapshot;
  /** Where the node was for the last flush. */
  readonly place: CompileNode | undefined;
  /** The endpoints that are set aside in the kernel. */
  readonly aside: Aside;
  /** Whether the kernel holds `applied`: not before the first flush, nor where a flush could be neither finished nor undone. */
  readonly firstFlushDone: boolean;
  readonly lastFlush: (FlushReport & { readonly at: Date }) | undefined;
  readonly flushes: number;
  /** Why the newest snapshot is not in the kernel. */
  readonly error: string | undefined;
}

export interface Controller {
  /** Takes the newest snapshot, with the endpoints that are to be set aside then where they change with it: nothing is flushed in between. */
  submit(snapshot: Snapshot, aside?: Aside): void;
  /** Takes the endpoints that are to be set aside, all of them. Nothing is flushed for it before there is a snapshot. */
  setAside(aside: Aside): void;
  readonly state: ControllerState;
  /** Reads the kernel back and flushes everything anew: it does not hold what it should. */
  repair(): void;
  /** Resolves when the newest snapshot is in the kernel, or has failed once. */
  idle(): Promise<void>;
  /** Lets a running flush end, and starts no other. */
  stop(): Promise<void>;
}

export interface ControllerOptions {
  readonly datapath: Pick<Datapath, "flush" | "reread" | "settle">;
  /** Where the node is, as a snapshot has it: the same object as long as it is the same place. */
  readonly node: (snapshot: Snapshot) => CompileNode;
  /** Done bit by bit before `node` is asked about a snapshot, so that its answer does not take long. @default nothing */
  readonly learn?: (snapshot: Snapshot) => Steps<void>;
  /** @default {timedSlices} */
  readonly slices?: Slices;
  /** Called after each flush, and waited for before the next; the first one finds nothing attached yet. */
  readonly onFlush: (report: FlushReport, first: boolean) => void | Promise<void>;
  /** Called after each flush that failed. `retryInMs` is missing where it is not tried again: the controller was stopped. */
  readonly onError: (message: string, retryInMs: number | undefined) => void;
  /** @default {1000} */
  readonly firstRetryMs?: number;
  /**
   * Does something after so many milliseconds, unless the function that it returns is called first.
   *
   * @default {setTimeout}
   */
  readonly later?: (ms: number, action: () => void) => () => void;
}

const maxRetryMs = 30_000;

function timeout(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
}

export function createController(options: ControllerOptions): Controller {
  const { datapath, node, learn, slices = timedSlices, firstRetryMs = 1000, later = timeout } = options;
  let applied = emptySnapshot();
  let appliedPlace: CompileNode | undefined;
  let appliedAside: Aside = new Map();
  let newest: Snapshot | undefined;
  let newestAside = appliedAside;
  let firstFlushDone = false;
  let lastFlush: ControllerState["lastFlush"];
  let flushes = 0;
  let error: string | undefined;
  /** A flush could be neither finished nor undone, or somebody else changed the maps. */
  let stateUnknown = false;
  let repairAsked = false;
  /** Ends in the very turn in which the last flush finds nothing newer: what is handed in after that starts another. */
  let busy = false;
  let running: Promise<void> = Promise.resolve();
  /** What was flushed last while busy; a retry, which may come before that ends, forgets it. */
  let tried: { readonly snapshot: Snapshot; readonly aside: Aside } | undefined;
  let stopped = false;
  let retryMs = firstRetryMs;
  let cancelRetry = () => {};

  function servicesToFlush({ snapshot, place, aside }: CompileInput): Map<ServiceKey, ServiceChange> {
    if (!firstFlushDone) return new Map([...snapshot.services.keys()].map((key) => [key, "service"]));
    const changed = changedServices(applied, snapshot);
    const setAside = aside === appliedAside ? [] : new Set([...appliedAside.keys(), ...aside.keys()]);
    for (const key of setAside) {
      const isSame = appliedAside.get(key) === aside.get(key);
      if (!isSame && !changed.has(key) && snapshot.services.has(key)) changed.set(key, "members");
    }
    if (place !== appliedPlace) {
      for (const [key, service] of snapshot.services.entries()) {
        if (isRanked(service)) changed.set(key, "service");
      }
    }
    return changed;
  }

  function* targetOf(input: CompileInput, key: ServiceKey, change: ServiceChange): Steps<ServiceTarget> {
    const { snapshot, place, aside } = input;
    // After a failure nothing is taken for granted.
    if (change === "members" && appliedPlace !== undefined && error === undefined) {
      const edit = compileEdit({ snapshot: applied, place: appliedPlace, aside: appliedAside }, input, key);
      if (edit) return edit;
    }
    return snapshot.services.has(key)
      ? yield* compileInSteps(snapshot, key, place, { aside: aside.get(key) })
      : undefined;
  }

  /** Each is compiled when it is asked for: together they would take much memory. */
  function* targetsOf(
    input: CompileInput,
    services: ReadonlyMap<ServiceKey, ServiceChange>,
  ): Generator<readonly [ServiceKey, ServiceTarget] | undefined> {
    for (const [key, change] of services) yield [key, yield* targetOf(input, key, change)];
  }

  async function flushOnce(target: Snapshot, aside: Aside): Promise<void> {
    if (repairAsked) {
      repairAsked = false;
      stateUnknown = true;
      firstFlushDone = false;
    }
    if (learn) await inSlices(learn(target), slices());
    if (stopped) return;
    const place = node(target);
    const input = { snapshot: target, place, aside };
    const services = servicesToFlush(input);
    try {
      if (stateUnknown) await datapath.reread();
      stateUnknown = false;
      const report = await datapath.flush(targetsOf(input, services));
      const first = flushes === 0;
      applied = target;
      appliedPlace = place;
      appliedAside = aside;
      firstFlushDone = true;
      forgetFailure();
      if (first || report.services > 0) {
        lastFlush = { ...report, at: new Date() };
        flushes++;
      }
      const told = options.onFlush(report, first);
      if (told) await told;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      if (cause instanceof KernelStateUnknown) {
        stateUnknown = true;
        firstFlushDone = false;
      }
      const now = stateUnknown
        ? "what the kernel serves is not known until it has been read back"
        : "the kernel serves what it served before";
      error = `flush of ${describe([...services.keys()])} failed, ${now}: ${reason}`;
      options.onError(error, stopped ? undefined : retryMs);
      if (!stopped) retryLater();
    }
  }

  function forgetFailure(): void {
    error = undefined;
    retryMs = firstRetryMs;
    cancelRetry();
  }

  function retryLater(): void {
    cancelRetry();
    cancelRetry = later(retryMs, () => {
      tried = undefined;
      start();
    });
    retryMs = Math.min(retryMs * 2, maxRetryMs);
  }

  const isApplied = () => firstFlushDone && newest === applied && newestAside === appliedAside;

  async function flushNewest(): Promise<void> {
    try {
      tried = undefined;
      const isTried = () => newest === tried?.snapshot && newestAside === tried?.aside;
      while (newest && !stopped && (repairAsked || (!isTried() && !isApplied()))) {
        tried = { snapshot: newest, aside: newestAside };
        await flushOnce(newest, newestAside);
        await nextTurn();
      }
      // What is wanted now may be what was there before one that failed.
      if (isApplied()) forgetFailure();
    } finally {
      busy = false;
    }
  }

  function start(): void {
    if (busy) return;
    cancelRetry();
    busy = true;
    running = flushNewest();
  }

  return {
    submit: (snapshot, aside = newestAside) => {
      newest = snapshot;
      newestAside = aside;
      start();
    },
    setAside: (aside) => {
      newestAside = aside;
      start();
    },
    repair: () => {
      repairAsked = true;
      start();
    },
    get state() {
      return { applied, place: appliedPlace, aside: appliedAside, firstFlushDone, lastFlush, flushes, error };
    },
    idle: async () => {
      while (busy) await running;
    },
    stop: async () => {
      stopped = true;
      cancelRetry();
      await running;
      await datapath.settle();
    },
  };
}

/** A few names and how many more. */
function describe(keys: readonly string[]): string {
  const shown = keys.slice(0, 3).join(", ");
  return keys.length > 3 ? `${shown} and ${keys.length - 3} more` : shown || "no services";
}
