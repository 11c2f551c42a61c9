/** Whether this kernel has MPTCP, and programs can tell its connections from others (bpf_skc_to_mptcp_sock, Linux 5.19). */
export function canTellMptcp(): boolean {
  const [major, minor] = Deno.osRelease().split(".").map(Number);
  const hasHelper = major > 5 || (major === 5 && minor >= 19);
  try {
    return hasHelper && Deno.statSync("/proc/sys/net/mptcp").isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
