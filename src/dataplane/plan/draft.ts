/** What all steps of one plan share, and what they leave. */

import type { workload } from "../../../ffi/mod.ts";
import type { ServiceKey } from "../../mesh/mod.ts";
import type { IndexAllocator, RecordContent, RecordPool, RecordWrite } from "../../records/mod.ts";
import type { Applied, AppliedEndpoint, AppliedService } from "../applied.ts";
import type { DesiredFrontend } from "../desired.ts";
import type { LimitEdit } from "../limits.ts";
import type { Found, FoundEndpoint } from "../read_back.ts";
import type { PortCommit } from "./commit.ts";
import type { PreviousRow } from "./endpoints.ts";

/** Where plans take places for records. */
export type RecordSource = Pick<RecordPool, "acquire" | "grow" | "release">;

/** A value that changes, with what was there before (for undoing); `undefined`: nothing. */
export interface Edit<K, V> {
  readonly key: K;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

export interface Plan {
  /** How many services were looked at. */
  readonly services: number;
  /** Endpoints that nothing refers to yet. */
  readonly endpoints: readonly AppliedEndpoint[];
  /** Records that nothing refers to yet. */
  readonly records: readonly RecordContent[];
  /** Single words of published records. */
  readonly recordWrites: readonly { readonly after: RecordWrite; readonly before: RecordWrite }[];
  /** By cluster. */
  readonly limits: ReadonlyMap<string, LimitEdit>;
  readonly servicePorts: readonly Edit<number, workload.ServicePort>[];
  readonly frontends: readonly Edit<DesiredFrontend, number>[];
  /** Ranges (`address/length`) with their ids. */
  readonly ranges: readonly Edit<string, number>[];
  /** Endpoints that no record refers to any more: sockets may not keep them. */
  readonly retired: readonly PreviousRow[];
  /** To be free again after a grace period. */
  readonly released: {
    readonly slots: readonly number[];
    readonly ids: readonly number[];
    readonly indexes: readonly number[];
    /** Clusters. */
    readonly limits: readonly string[];
  };
  /** Taken for this plan. */
  readonly taken: {
    readonly slots: readonly number[];
    readonly ids: readonly number[];
    readonly indexes: readonly number[];
    /** Clusters. */
    readonly limits: readonly string[];
  };
  /** Some service port asks for the endpoints' connections (map endpoint_connections). */
  readonly countsConnections: boolean;
  /** What becomes applied; `undefined`: the service is gone. */
  readonly next: ReadonlyMap<ServiceKey, AppliedService | undefined>;
  /** What becomes of applied service ports of which some endpoints change. */
  readonly ports: readonly PortCommit[];
}

/** What all steps of one plan share. */
export interface Draft {
  readonly applied: Applied;
  readonly pool: RecordSource;
  readonly found: Found | undefined;
  /** The found service ports that are some desired port's now. */
  readonly adopted: Set<number>;
  /** The found endpoint indexes that are some desired endpoint's now. */
  readonly kept: Set<number>;
  /** The found endpoints that no record names and nobody has taken, by place; made when it is first asked for. */
  loose?: Map<string, FoundEndpoint[]>;
  readonly endpoints: AppliedEndpoint[];
  readonly records: RecordContent[];
  readonly recordWrites: { after: RecordWrite; before: RecordWrite }[];
  readonly limits: Map<string, LimitEdit>;
  readonly servicePorts: Edit<number, workload.ServicePort>[];
  readonly ports: PortCommit[];
  countsConnections: boolean;
  /** By `frontendText`: a frontend may leave one service and come to another in one plan. */
  readonly frontends: Map<string, Edit<DesiredFrontend, number>>;
  readonly retired: PreviousRow[];
  readonly released: { slots: number[]; ids: number[]; indexes: number[]; limits: string[] };
  readonly taken: { slots: number[]; ids: number[]; indexes: number[]; limits: string[] };
}

/** A draft of a plan with nothing in it. */
export function emptyDraft(applied: Applied, pool: RecordSource, found: Found | undefined): Draft {
  return {
    applied,
    pool,
    found,
    adopted: new Set(),
    kept: new Set(),
    endpoints: [],
    records: [],
    recordWrites: [],
    limits: new Map(),
    servicePorts: [],
    ports: [],
    countsConnections: false,
    frontends: new Map(),
    retired: [],
    released: { slots: [], ids: [], indexes: [], limits: [] },
    taken: { slots: [], ids: [], indexes: [], limits: [] },
  };
}

export function take(allocator: IndexAllocator, taken: number[]): number {
  const index = allocator.take();
  taken.push(index);
  return index;
}
