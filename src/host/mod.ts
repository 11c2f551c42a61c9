/** What the Linux host offers: cgroups, the BPF file system, network namespaces, processes. */
export { bpffsPath, ensureBpffs } from "./bpffs.ts";
export {
  type Cgroup,
  cgroup2Mount,
  cgroupId,
  cgroupProcesses,
  createCgroup,
  inCgroup,
  removeLeftoverCgroups,
} from "./cgroup.ts";
export { ensureEventInterval } from "./event_interval.ts";
export { HostError } from "./host_error.ts";
export { joined } from "./joined.ts";
export { lookUpHost } from "./look_up_host.ts";
export { type Mount, mountOf, mounts } from "./mountinfo.ts";
export {
  deleteNamespaces,
  inNamespace,
  ipBatch,
  listNamespaces,
  namespacePath,
  removeLeftoverNamespaces,
} from "./netns.ts";
export { nextTurn } from "./next_turn.ts";
export { createNetwork, type NamespaceOptions, type Network, type NetworkOptions } from "./network.ts";
export { isLeftover, ownedName, ownerTag } from "./owner.ts";
export { type Child, inPlace, type Place, spawn, type SpawnOptions } from "./process.ts";
export { endProcesses } from "./process_end.ts";
export { CommandError, run } from "./run.ts";
export { sleep } from "./sleep.ts";
export { createSlices, noPause, type Pause, type Slices, timedSlices, turnSlices } from "./slices.ts";
export { openTurns, type Turns } from "./turns.ts";
export { finish, inSlices, mapInSteps, type Steps, stepSize } from "./steps.ts";
