/** What the demo shows: values, drawn by `screen.ts`. */

import type { Act } from "./acts.ts";
import type { Counts } from "./tally.ts";

/** One moment. */
export interface View {
  readonly act: Act;
  /** 1 for the first act. */
  readonly number: number;
  /** Calls of the last second. */
  readonly recent: Counts;
  /** All calls so far. */
  readonly total: Counts;
  /** Calls so far that should have been answered and were not. */
  readonly failed: number;
  /** The agent's process, where one runs. */
  readonly agentPid: number | undefined;
}

/** How an act went. */
export interface ActResult {
  readonly act: Act;
  readonly number: number;
  /** The calls that were compared with the mesh file. */
  readonly compared: Counts;
  /** What was not as the mesh file says; `undefined` where all was. */
  readonly problem: string | undefined;
}

/** How the demo went. */
export interface DemoReport {
  readonly results: readonly ActResult[];
  readonly answered: number;
  /** Calls that were refused when no backend could be used. */
  readonly refused: number;
  readonly failed: number;
}
