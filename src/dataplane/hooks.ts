/** The cgroup hooks and the programs on them. */

/** The objects that the programs are in. */
export type ObjectName = "workload" | "sockops";

export interface Hook {
  /** As bpftool and the kernel's documentation name it; also the name of the link's pin. */
  readonly name: string;
  readonly object: ObjectName;
  /** In the object. */
  readonly program: string;
  /** enum bpf_attach_type */
  readonly attachType: number;
}

/**
 * In the order of attaching: first those that do nothing without state, last those that make it, so that an agent that is
 * killed in between leaves nothing half done. Detaching goes the other way round.
 */
export const hooks: readonly Hook[] = [
  { name: "sockops", object: "sockops", program: "weft_sockops", attachType: 3 },
  { name: "sock_release", object: "workload", program: "weft_sock_release", attachType: 34 },
  { name: "getpeername4", object: "workload", program: "weft_getpeername4", attachType: 29 },
  { name: "getpeername6", object: "workload", program: "weft_getpeername6", attachType: 30 },
  { name: "recvmsg4", object: "workload", program: "weft_recvmsg4", attachType: 19 },
  { name: "recvmsg6", object: "workload", program: "weft_recvmsg6", attachType: 20 },
  { name: "sendmsg4", object: "workload", program: "weft_sendmsg4", attachType: 14 },
  { name: "sendmsg6", object: "workload", program: "weft_sendmsg6", attachType: 15 },
  { name: "connect4", object: "workload", program: "weft_connect4", attachType: 10 },
  { name: "connect6", object: "workload", program: "weft_connect6", attachType: 11 },
];

/** The hooks that are in use. @param watched whether sockops watches how connects end */
export function hooksInUse(watched: boolean): readonly Hook[] {
  return watched ? hooks : hooks.filter(({ object }) => object !== "sockops");
}
