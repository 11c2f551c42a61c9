/** What this process may do. */

/** CAP_SYS_ADMIN brings CAP_BPF and CAP_PERFMON with it; opening maps and programs by their ids takes no less. */
const needed: readonly (readonly [name: string, bit: number])[] = [
  ["CAP_SYS_ADMIN", 21],
  ["CAP_NET_ADMIN", 12],
];

export interface Privileges {
  /** Effective user id. */
  readonly uid: number;
  /** Names of the capabilities that weft needs and this process does not have. */
  readonly missing: readonly string[];
  /** Root of a user namespace only, as in a rootless container: its capabilities do not count for BPF. */
  readonly inUserNamespace: boolean;
}

/**
 * @param status of /proc/self/status
 * @param uidMap of /proc/self/uid_map; empty where the kernel has no user namespaces
 */
export function readPrivileges(status: string, uidMap: string): Privileges {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status);
  const effective = /^CapEff:\s+([0-9a-f]+)/m.exec(status);
  if (uid === null || effective === null) throw new Error("/proc/self/status has no Uid or CapEff");
  const bits = BigInt(`0x${effective[1]}`);
  return {
    uid: Number(uid[1]),
    missing: needed.filter(([, bit]) => !(bits >> BigInt(bit) & 1n)).map(([name]) => name),
    inUserNamespace: uidMap.trim() !== "" && !/^\s*0\s+0\s+4294967295\s*$/.test(uidMap),
  };
}
