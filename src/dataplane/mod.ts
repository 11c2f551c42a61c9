/** Desired kernel state, what the kernel holds, and how it gets from one to the other. */
export {
  type Applied,
  type AppliedEndpoint,
  type AppliedService,
  type AppliedServicePort,
  nearestTier,
} from "./applied.ts";
export { type CompileNode, type CompileOptions, compileService } from "./compile.ts";
export { compileEdit, type CompileInput } from "./compile_edit.ts";
export {
  type Controller,
  type ControllerOptions,
  type ControllerState,
  createController,
} from "./controller.ts";
export { type Datapath, type DatapathOptions, type FlushReport, openDatapath } from "./datapath.ts";
export * from "./desired.ts";
export { exempt } from "./exempt.ts";
export { KernelStateUnknown } from "./flush.ts";
export { type Hook, hooks, hooksInUse } from "./hooks.ts";
export { activeUnder, roomForLimits } from "./limits.ts";
export {
  defaultSizes,
  eventsSize,
  failureEventsSize,
  type FirstSizes,
  mapMemories,
  type MeshMaps,
  type MeshSizes,
  openMeshMaps,
} from "./maps.ts";
export { exists, foreignLayouts, type PinPaths, pinPaths, removePins } from "./pins.ts";
export {
  attachedCgroup,
  countPeers,
  defaultSocketSizes,
  detachPrograms,
  type Features,
  haveSize,
  type HookStatus,
  hookStatuses,
  type LoadedPrograms,
  loadPrograms,
  openSocketMaps,
  probeFeatures,
  type SocketMaps,
  type SocketSizes,
  socketSizesOf,
} from "./programs.ts";
export type { ServiceTarget } from "./plan/mod.ts";
export { type Found, type FoundTier, readBack } from "./read_back.ts";
export { sweepFlows } from "./sweep.ts";
