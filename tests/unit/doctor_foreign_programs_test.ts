import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { isWeft, lineage } from "../../src/doctor/foreign_programs.ts";

describe("the cgroups above a cgroup", () => {
  it("are those from the root down to it", () => {
    assert.deepEqual(lineage("/sys/fs/cgroup", "/sys/fs/cgroup/a.slice/b"), [
      "/sys/fs/cgroup",
      "/sys/fs/cgroup/a.slice",
      "/sys/fs/cgroup/a.slice/b",
    ]);
  });

  it("are the root alone for the root", () => {
    assert.deepEqual(lineage("/sys/fs/cgroup", "/sys/fs/cgroup"), ["/sys/fs/cgroup"]);
  });

  it("are right where the hierarchy is mounted at /", () => {
    assert.deepEqual(lineage("/", "/a/b"), ["/", "/a", "/a/b"]);
  });
});

describe("a program's name", () => {
  it("tells weft's from others'", () => {
    assert.equal(isWeft({ name: "weft_sock_relea" }), true);
    assert.equal(isWeft({ name: "cil_sock4_conne" }), false);
    assert.equal(isWeft({ name: "" }), false);
  });
});
