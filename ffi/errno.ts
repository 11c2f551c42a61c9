/** Error numbers of Linux (asm-generic) that the kernel calls of weft can give, with what they mean in words. */

const names: ReadonlyMap<number, readonly [string, string]> = new Map([
  [1, ["EPERM", "not permitted: root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, is needed"]],
  [2, ["ENOENT", "no such thing"]],
  [4, ["EINTR", "interrupted"]],
  [7, ["E2BIG", "too big: the map is full, or the argument too long"]],
  [9, ["EBADF", "not an open file descriptor of the right kind"]],
  [11, ["EAGAIN", "timed out, or somebody else has it"]],
  [12, ["ENOMEM", "the kernel has no memory for it (or the memory cgroup's limit is reached)"]],
  [13, ["EACCES", "permission denied"]],
  [14, ["EFAULT", "bad memory address"]],
  [16, ["EBUSY", "busy"]],
  [17, ["EEXIST", "exists already"]],
  [19, ["ENODEV", "no such device"]],
  [20, ["ENOTDIR", "not a directory"]],
  [22, ["EINVAL", "invalid argument: this kernel may lack the feature"]],
  [24, ["EMFILE", "too many open files in this process"]],
  [28, ["ENOSPC", "no space: the map or log is full"]],
  [32, ["EPIPE", "broken pipe"]],
  [38, ["ENOSYS", "this kernel does not have the system call"]],
  [67, ["ENOLINK", "the link has been severed: its cgroup is gone"]],
  [89, ["EDESTADDRREQ", "destination address required"]],
  [95, ["EOPNOTSUPP", "not supported"]],
  [97, ["EAFNOSUPPORT", "address family not supported"]],
  [98, ["EADDRINUSE", "address in use"]],
  [99, ["EADDRNOTAVAIL", "address not available"]],
  [101, ["ENETUNREACH", "network unreachable"]],
  [103, ["ECONNABORTED", "connection aborted"]],
  [104, ["ECONNRESET", "connection reset"]],
  [105, ["ENOBUFS", "no buffer space"]],
  [107, ["ENOTCONN", "not connected"]],
  [110, ["ETIMEDOUT", "timed out"]],
  [111, ["ECONNREFUSED", "connection refused"]],
  [113, ["EHOSTUNREACH", "no route to host"]],
  [115, ["EINPROGRESS", "still in progress (timed out)"]],
  [524, ["ENOTSUPP", "not supported by this kernel"]],
]);

/** `ENOENT` for 2; `errno 2` for numbers without an entry. */
export function errnoName(errno: number): string {
  return names.get(errno)?.[0] ?? `errno ${errno}`;
}

/** What an error number means, in words. */
export function errnoWords(errno: number): string {
  return names.get(errno)?.[1] ?? "unknown error";
}
