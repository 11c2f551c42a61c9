import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { cgroup2Mount, HostError, mountOf, mounts } from "../../src/host/mod.ts";

const hybrid = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 master:1 - tmpfs tmpfs rw,mode=755
41 31 0:38 / /sys/fs/cgroup/uni\\040fied\\134x rw,relatime - cgroup2 cgroup2 rw
42 23 0:39 / /sys/fs/bpf rw,relatime - bpf bpf rw
43 42 0:40 / /sys/fs/bpf rw - tmpfs none rw
`;

describe("mounts", () => {
  it("reads place and type, past optional fields", () => {
    assert.deepEqual(mounts(hybrid).slice(0, 3), [
      { path: "/proc", type: "proc" },
      { path: "/", type: "ext4" },
      { path: "/sys/fs/cgroup", type: "tmpfs" },
    ]);
  });

  it("reads octal escapes, and letters beyond ASCII as they are", () => {
    assert.equal(mounts(hybrid)[3].path, "/sys/fs/cgroup/uni fied\\x");
    assert.equal(mounts("1 2 0:1 / /m\\040ü\\011 rw - bpf b rw")[0].path, "/m ü\t");
  });
});

describe("mountOf", () => {
  const all = mounts(hybrid);
  const cases = [
    ["/etc/passwd", "ext4"],
    ["/", "ext4"],
    ["/proc", "proc"],
    ["/process", "ext4"],
    ["/sys/fs/cgroup/cpu", "tmpfs"],
    ["/sys/fs/bpf/weft", "tmpfs"], // the later mount hides the earlier
  ];
  for (const [path, type] of cases) {
    it(`${path} lies on ${type}`, () => assert.equal(mountOf(path, all)?.type, type));
  }
});

describe("cgroup2Mount", () => {
  it("finds it wherever it is", () =>
    assert.equal(cgroup2Mount(mounts(hybrid)), "/sys/fs/cgroup/uni fied\\x"));

  it("names the remedy where there is none", () => {
    assert.throws(
      () => cgroup2Mount([{ path: "/sys/fs/cgroup", type: "tmpfs" }]),
      (error) => error instanceof HostError && /mount -t cgroup2/.test(error.message),
    );
  });
});
