/** Variable-length lists in the kernel. */
export { createIndexAllocator, type IndexAllocator } from "./index_allocator.ts";
export { readRecordById } from "./inner_map.ts";
export {
  copyOuterMap,
  createOuterMap,
  type FoundSlots,
  type NewRecord,
  ownSlots,
  placeholderSlot,
  publishRecords,
  readRecord,
  readSlots,
  takesRecords,
} from "./outer_map.ts";
export { createRecordPool } from "./pool.ts";
export {
  type Acquired,
  type ClassState,
  type PoolCounts,
  type RecordContent,
  type RecordPool,
  type RecordWrite,
} from "./record_pool.ts";
export { RecordError } from "./record_error.ts";
export { capacityFor, classOf } from "./size_class.ts";
export { defaultWatermarks, type Watermarks } from "./watermarks.ts";
