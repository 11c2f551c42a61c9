/** The kernel as TypeScript sees it. Nothing outside this folder knows what a file descriptor's number means. */
export { ArrayOfMaps, type SlotAssignment } from "./array_of_maps.ts";
export { type Codec, u32, u64 } from "./codec.ts";
export { errnoName, errnoWords } from "./errno.ts";
export { check, KernelError } from "./kernel_error.ts";
export * from "./link.ts";
export * from "./map.ts";
export { hasHelper, type LoadedObject, loadObject, type ObjectOptions } from "./object.ts";
export { openRing, type Ring } from "./ring.ts";
export {
  closeFd,
  cstring,
  lockFile,
  mountBpffs,
  openDirectory,
  openShim,
  payload,
  type Shim,
} from "./shim.ts";
export * from "./socket.ts";
export { startAnew } from "./start_anew.ts";
export type { WordWrite } from "./word_writer.ts";
export * as workload from "./generated/workload.ts";
