/** A data path that does nothing: it notes what it is called for, and each call ends when and as the test says. */

import type { ControllerOptions, FlushReport, ServiceTarget } from "../../src/dataplane/mod.ts";
import type { ServiceKey } from "../../src/mesh/mod.ts";

type Changes = readonly (readonly [ServiceKey, ServiceTarget])[];

/** One call of the data path, which ends as the test says. */
export interface Call {
  readonly name: "flush" | "reread" | "settle";
  readonly changes: Changes;
  /** Ends it well, and lets what waits for it run. */
  end(): Promise<void>;
  fail(error: Error): Promise<void>;
}

const oneTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Everything that promises set off has run after two turns of the event loop: between two flushes the controller waits for one. */
export const turn = () => oneTurn().then(oneTurn);

function reportOf(changes: Changes): FlushReport {
  return {
    services: changes.length,
    endpointsWritten: 0,
    recordsPublished: 0,
    durationMs: 0,
    backgroundError: undefined,
    repaired: [],
    grownTo: undefined,
  };
}

/** @param calls gets each call when it begins */
export function recordCalls(calls: Call[]): ControllerOptions["datapath"] {
  function begin<T>(name: Call["name"], changes: Changes, answer: T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const end = () => {
      resolve(answer);
      return turn();
    };
    const fail = (error: Error) => {
      reject(error);
      return turn();
    };
    calls.push({ name, changes, end, fail });
    return promise;
  }
  return {
    flush: (lazily) => {
      const changes = [...lazily].filter((change) => change !== undefined);
      return begin("flush", changes, reportOf(changes));
    },
    reread: () => begin("reread", [], undefined),
    settle: () => begin("settle", [], undefined),
  };
}
