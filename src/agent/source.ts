/** Where the agent learns the mesh: a file or a control plane, behind one small interface. */

import type { Slices } from "../host/mod.ts";
import type { Snapshot } from "../mesh/mod.ts";
import type { Dial } from "../xds/dial.ts";
import type { ControlPlaneStatus } from "../observe/api.ts";

/** Where the agent learns the mesh. */
export interface Source {
  /** What `weft status` calls it: a path, or a control plane's address. */
  readonly name: string;
  /**
   * Hands over the first complete configuration and every later one. `submit` never waits; nothing incomplete is handed over.
   *
   * @param dial connects to others without being balanced
   * @param slices how long work is done bit by bit
   * @returns resolves when the signal has aborted
   */
  follow(
    submit: (snapshot: Snapshot) => void,
    signal: AbortSignal,
    dial: Dial,
    slices: Slices,
  ): Promise<void>;
  /** Whether the first configuration may come any time later. Else it is handed over before `follow` first waits. */
  readonly mayWait: boolean;
  /** What `weft status` should complain of. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** `undefined` for a file. */
  readonly controlPlane: ControlPlaneStatus | undefined;
  /**
   * What the control plane said, as the text of one JSON object in pieces (`ResourcesResponse`).
   *
   * @param only one collection
   * @param slices how the text is made
   * @returns the known collections where `only` is none, `undefined` for a file
   */
  resources(only: string | undefined, slices: Slices): AsyncIterable<string> | readonly string[] | undefined;
}
