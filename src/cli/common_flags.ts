/** Flags that several commands have. */

export const pinRootFlag = {
  kind: "string",
  name: "pin-root",
  valueName: "DIR",
  env: "WEFT_PIN_ROOT",
  default: "/sys/fs/bpf/weft",
  help: "where links and maps are pinned, on a bpf file system; each agent has its own",
} as const;

export const cgroupFlag = {
  kind: "string",
  name: "cgroup",
  valueName: "DIR",
  env: "WEFT_CGROUP",
  help: "the cgroup (v2) whose connections are balanced; its root where left out",
} as const;

export const socketFlag = {
  kind: "string",
  name: "socket",
  valueName: "PATH",
  env: "WEFT_SOCKET",
  help: "the agent's UNIX socket; below /run/weft and named after the pin root where left out",
} as const;
