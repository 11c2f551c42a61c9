/** An inner map: one record in the kernel. */

import type { Steps } from "../host/mod.ts";
import { closeFd, createMap, KernelMap, openMapById, type Shim, u32, workload } from "../../ffi/mod.ts";

const mapTypeArray = 2;
const innerMapFlag = 1 << 12; // BPF_F_INNER_MAP: inner maps of one outer map may differ in length (5.10)

/** Entries in kernel form: {threshold, endpoint index}. */
export type RecordEntries = readonly workload.RecordEntry[];

/** What inner maps are, but for their capacity. */
export const innerMapShape = {
  type: mapTypeArray,
  name: "record",
  keySize: 4,
  valueSize: workload.recordEntry.size,
  flags: innerMapFlag,
} as const;

/** Creates one with room for so many entries; the file descriptor is the caller's. */
export function createInnerMap(shim: Shim, capacity: number): number {
  return createMap(shim, { ...innerMapShape, maxEntries: capacity });
}

/** A handle on an open inner map. */
export function innerMap(shim: Shim, fd: number): KernelMap<number, workload.RecordEntry> {
  return new KernelMap(shim, fd, { name: "record", key: u32, value: workload.recordEntry });
}

/** Writes a record's entries, from the first on, some thousands in a step. */
export function fillInnerMap(shim: Shim, fd: number, entries: RecordEntries): Steps<void> {
  return innerMap(shim, fd).updateInSteps(entries.entries(), entries.length);
}

/** What an inner map holds. */
export interface FoundRecord {
  readonly capacity: number;
  /** All that the inner map holds, those behind the record's length too. */
  readonly entries: RecordEntries;
}

/** Reads the inner map with this id; `undefined` where it is gone. */
export function readRecordById(shim: Shim, id: number): FoundRecord | undefined {
  const fd = openMapById(shim, id);
  if (fd === undefined) return undefined;
  using map = innerMap(shim, fd);
  const entries = [...map.entries()].map(([, entry]) => entry);
  return { capacity: entries.length, entries };
}

/** The capacity of the inner map with this id; `undefined` where it is gone. */
export function readCapacity(shim: Shim, id: number): number | undefined {
  const fd = openMapById(shim, id);
  if (fd === undefined) return undefined;
  using map = innerMap(shim, fd);
  return map.info().maxEntries;
}

/** What `struct bpf_array` takes on 64-bit kernels, about: for those that do not tell. */
const usualHeader = 320;

/**
 * The kernel memory of an inner map besides its entries, in bytes: asked of the kernel by way of two that are made for it. Before 6.4
 * it tells whole pages, and nothing of the header.
 */
export function innerMapHeader(shim: Shim): number {
  using one = innerMap(shim, createInnerMap(shim, 1));
  using two = innerMap(shim, createInnerMap(shim, 2));
  const { valueSize } = innerMapShape;
  return two.memory() - one.memory() === valueSize ? one.memory() - valueSize : usualHeader;
}

/** Opens an inner map, does something with it, and closes it; `undefined` where there is none with this id. */
export function withInnerMap<T>(shim: Shim, id: number, action: (fd: number) => T): T | undefined {
  const fd = openMapById(shim, id);
  if (fd === undefined) return undefined;
  try {
    return action(fd);
  } finally {
    closeFd(shim, fd);
  }
}
