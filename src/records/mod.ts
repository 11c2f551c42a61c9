/** Variable-length lists in the kernel. */
export { createIndexAllocator, type IndexAllocator } from "./index_allocator.ts";
export {
  capacityFor,
  copyOuterMap,
  createOuterMap,
  createRecordPool,
  type FoundRecord,
  type NewRecord,
  readRecord,
  readRecordById,
  type RecordPool,
  type RecordWrite,
} from "./pool.ts";
