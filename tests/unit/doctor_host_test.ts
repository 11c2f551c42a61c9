import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { readOpenFiles } from "../../src/doctor/open_files.ts";
import { readPrivileges } from "../../src/doctor/privileges.ts";

const status = (uid: number, effective: string) =>
  `Name:\tweft\nUid:\t1000\t${uid}\t${uid}\t${uid}\nCapInh:\t0000000000000000\nCapEff:\t${effective}\n`;
const initial = "         0          0 4294967295\n";

describe("privileges", () => {
  it("are complete for root", () => {
    assert.deepEqual(readPrivileges(status(0, "000001ffffffffff"), initial), {
      uid: 0,
      missing: [],
      inUserNamespace: false,
    });
  });

  it("are complete for a user with the two capabilities", () => {
    const both = (1n << 21n | 1n << 12n).toString(16).padStart(16, "0");
    assert.deepEqual(readPrivileges(status(1000, both), initial).missing, []);
  });

  it("name each capability that is missing", () => {
    const without = (bit: bigint) => (0x1ffffffffffn & ~(1n << bit)).toString(16);
    assert.deepEqual(readPrivileges(status(0, without(21n)), initial).missing, ["CAP_SYS_ADMIN"]);
    assert.deepEqual(readPrivileges(status(0, without(12n)), initial).missing, ["CAP_NET_ADMIN"]);
    assert.deepEqual(readPrivileges(status(1000, "0000000000000000"), initial).missing, [
      "CAP_SYS_ADMIN",
      "CAP_NET_ADMIN",
    ]);
  });

  it("do not count in a user namespace", () => {
    const rootless = "         0       1000          1\n         1     100000      65536\n";
    assert.equal(readPrivileges(status(0, "000001ffffffffff"), rootless).inUserNamespace, true);
    assert.equal(readPrivileges(status(0, "000001ffffffffff"), "").inUserNamespace, false, "no such kernel");
  });

  it("are the effective user's, not the real one's", () => {
    assert.equal(readPrivileges(status(7, "0"), initial).uid, 7);
  });

  it("cannot be read from what is no status", () => {
    assert.throws(() => readPrivileges("Name:\tweft\n", initial), /has no Uid or CapEff/);
  });
});

describe("the limit of open files", () => {
  const limits = (soft: string, hard: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \n` +
    `Max processes             100                  200                  processes \n` +
    `Max open files            ${soft.padEnd(20)} ${hard.padEnd(20)} files     \n`;

  it("has a soft and a hard half", () => {
    assert.deepEqual(readOpenFiles(limits("1024", "524288")), { soft: 1024, hard: 524288 });
  });

  it("may be none", () => {
    assert.deepEqual(readOpenFiles(limits("unlimited", "unlimited")), { soft: Infinity, hard: Infinity });
  });
});
