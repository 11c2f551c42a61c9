/** What a record pool is to those who use it. */

import type { workload } from "../../ffi/mod.ts";
import type { Pause } from "../host/mod.ts";
import type { RecordEntries } from "./inner_map.ts";

/** A place for a record: nothing names it yet. */
export interface Acquired {
  readonly slot: number;
  /** Entries that it has room for: at least as many as asked for. */
  readonly capacity: number;
}

/** What an acquired place is to hold. */
export interface RecordContent {
  readonly slot: number;
  /** May be made anew each time that they are read: it is when they are written. */
  readonly entries: RecordEntries;
}

/** Changes to a published record, each one aligned 64-bit word. */
export interface RecordWrite {
  readonly slot: number;
  readonly writes: readonly (readonly [position: number, entry: workload.RecordEntry])[];
}

/** One size class as it is. */
export interface ClassState {
  /** Entries that a record of this class has room for. */
  readonly capacity: number;
  readonly used: number;
  readonly allocated: number;
  readonly highestSlot: number;
  readonly step: number;
  /** Kernel memory of its inner maps. */
  readonly bytes: number;
}

/** What the pool has done since its agent started. */
export interface PoolCounts {
  /** Records that took a spare. */
  readonly fromSpares: number;
  /** Publishes that found too few spares, and the records they made. */
  readonly bursts: number;
  readonly burstRecords: number;
  /** Slots added and freed in the background. */
  readonly grown: number;
  readonly shrunk: number;
  /** Slots that somebody else had changed, put right. */
  readonly repaired: number;
}

export interface RecordPool {
  /**
   * A place for a record of `length` entries. `publish` makes it one.
   *
   * @throws {RecordError} for a length that no record can have
   */
  acquire(length: number): Acquired;
  /**
   * A larger (or smaller) place for the record in `slot`, which stays until it is released.
   *
   * @throws {RecordError} where `slot` holds no record
   */
  grow(slot: number, length: number): Acquired;
  /**
   * Fills acquired places; those without an inner map get one, which waits for a grace period a batch.
   *
   * @param pause called between records. @default {noPause}
   */
  publish(records: readonly RecordContent[], pause?: Pause): Promise<void>;
  /** Edits published records in place. @throws {RecordError} where the kernel has the record no more */
  write(records: readonly RecordWrite[]): void;
  /**
   * Gives records up. The caller has waited for a grace period since the last word naming them was changed: from now on they
   * may be used for others.
   *
   * @throws {RecordError} for a slot that holds no record, or is named twice: then none is released
   */
  release(slots: readonly number[]): void;
  /** Grows and shrinks the classes by their watermarks, on another thread. One at a time. */
  tend(): Promise<void>;
  /** Adds spares of a class, in the lowest free slots. @returns how many there was room for */
  growClass(sizeClass: number, count: number): Promise<number>;
  /** Frees spares of a class, from the top slot down. @returns how many there were */
  shrinkClass(sizeClass: number, count: number): Promise<number>;
  /**
   * Compares the outer map with what the pool knows: spares that vanished are forgotten, what appeared is taken away.
   *
   * @returns what was put right, and the used slots that hold their record no more
   */
  audit(): Promise<Audit>;
  /** Whether a slot holds a record. */
  isUsed(slot: number): boolean;
  readonly used: number;
  readonly allocated: number;
  readonly counts: PoolCounts;
  /** Size classes that hold anything. */
  classes(): ClassState[];
  /** The slots that the outer map must have room for now, and once all classes have grown to their watermarks. */
  readonly end: number;
  endWithSpares(): number;
  /** The kernel memory of all inner maps but the placeholder, in bytes. */
  memory(): number;
}

/** What an audit found. */
export interface Audit {
  /** What was put right. */
  readonly repairs: readonly string[];
  /** Used slots that hold their record no more: whoever knows what they held must make them anew. */
  readonly lost: readonly number[];
}
