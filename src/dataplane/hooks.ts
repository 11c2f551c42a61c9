/** The cgroup hooks and the programs on them. */

export interface Hook {
  /** As bpftool and the kernel's documentation name it; also the name of the link's pin. */
  readonly name: string;
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
  { name: "sock_release", program: "weft_sock_release", attachType: 34 },
  { name: "getpeername4", program: "weft_getpeername4", attachType: 29 },
  { name: "getpeername6", program: "weft_getpeername6", attachType: 30 },
  { name: "recvmsg4", program: "weft_recvmsg4", attachType: 19 },
  { name: "recvmsg6", program: "weft_recvmsg6", attachType: 20 },
  { name: "sendmsg4", program: "weft_sendmsg4", attachType: 14 },
  { name: "sendmsg6", program: "weft_sendmsg6", attachType: 15 },
  { name: "connect4", program: "weft_connect4", attachType: 10 },
  { name: "connect6", program: "weft_connect6", attachType: 11 },
];
