import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { KernelError } from "../../ffi/mod.ts";
import { CheckFailed, type CheckSpec } from "../../src/doctor/check.ts";
import { describeFailure } from "../../src/doctor/failure.ts";
import { HostError } from "../../src/host/mod.ts";

const spec: CheckSpec = { id: "a.b", title: "a check", remedy: "the check's own" };
const EPERM = 1;
const EINVAL = 22;

describe("a failed check", () => {
  it("says what the kernel refused, and the check's remedy", () => {
    const { detail, remedy } = describeFailure(new KernelError("create", "map x", EINVAL), spec);
    assert.match(detail, /^create map x: .*\(EINVAL\)$/);
    assert.equal(remedy, "the check's own");
  });

  it("knows what an errno means whatever the check", () => {
    const { remedy } = describeFailure(new KernelError("create", "map x", EPERM), spec);
    assert.match(remedy, /seccomp/);
  });

  it("prefers what the check says of an errno", () => {
    const own = { ...spec, remedies: { EPERM: "somebody shuts it" } };
    assert.equal(
      describeFailure(new KernelError("attach", "x", EPERM), own).remedy,
      "somebody shuts it",
    );
  });

  it("does not blame missing privileges, which have a check of their own", () => {
    const { detail } = describeFailure(new KernelError("attach program to", "hook connect4", EPERM), spec);
    assert.equal(detail, "attach program to hook connect4: not permitted (EPERM)");
  });

  it("keeps the verifier's last words", () => {
    const error = new KernelError("load", "BPF object x", EINVAL, "R1 is ctx\ninvalid access to packet\n");
    assert.match(describeFailure(error, spec).detail, /invalid access to packet$/);
  });

  it("parts a host error into what is wrong and what to do", () => {
    const error = new HostError("nothing is mounted", "mount it");
    assert.deepEqual(describeFailure(error, spec), { detail: "nothing is mounted", remedy: "mount it" });
  });

  it("prefers the remedy of what the check itself saw", () => {
    assert.deepEqual(describeFailure(new CheckFailed("odd", "look there"), spec), {
      detail: "odd",
      remedy: "look there",
    });
    assert.equal(describeFailure(new CheckFailed("odd"), spec).remedy, "the check's own");
  });

  it("has words for what nobody thought of", () => {
    assert.equal(describeFailure(new TypeError("no"), spec).detail, "TypeError: no");
    assert.equal(describeFailure("thrown text", spec).detail, "thrown text");
  });
});
