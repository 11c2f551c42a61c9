import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { ensureBpffs, HostError, type Mount } from "../../src/host/mod.ts";

const root: Mount = { path: "/", type: "ext4" };
const bpf: Mount = { path: "/sys/fs/bpf", type: "bpf" };
const never = () => assert.fail("nothing is to be mounted");

describe("ensureBpffs", () => {
  it("is content with a path on one, existing or not", () => {
    ensureBpffs("/sys/fs/bpf/weft-nobody-has-this/x", never, [root, bpf]);
    ensureBpffs("/sys/fs/bpf/", never, [root, bpf]);
  });

  it("follows symbolic links", () => {
    const directory = Deno.makeTempDirSync();
    try {
      Deno.mkdirSync(`${directory}/real`);
      Deno.symlinkSync(`${directory}/real`, `${directory}/link`);
      const here = { path: `${Deno.realPathSync(directory)}/real`, type: "bpf" };
      ensureBpffs(`${directory}/link/weft`, never, [root, here]);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });

  it("mounts one at /sys/fs/bpf where it is missing there", () => {
    const mounted: string[] = [];
    ensureBpffs("/sys/fs/bpf/weft-nobody-has-this", (at) => mounted.push(at), [root]);
    assert.deepEqual(mounted, ["/sys/fs/bpf"]);
  });

  it("says what to do where mounting fails", () => {
    const refused = () => {
      throw new Error("not permitted");
    };
    assert.throws(
      () => ensureBpffs("/sys/fs/bpf/weft-nobody-has-this", refused, [root]),
      (error) =>
        error instanceof HostError && /not permitted.*mount -t bpf bpf \/sys\/fs\/bpf/.test(error.message),
    );
  });

  it("mounts nothing elsewhere, and names a place that would do", () => {
    const other = { path: "/run/bpf", type: "bpf" };
    assert.throws(
      () => ensureBpffs("/nobody-has-this/weft", never, [root, other]),
      (error) => error instanceof HostError && /type ext4.*--pin-root below \/run\/bpf/.test(error.message),
    );
  });

  it("refuses dots in names, as the kernel would with a riddle", () => {
    assert.throws(() => ensureBpffs("/sys/fs/bpf/weft.blue", never, [root, bpf]), /weft\.blue has a dot/);
    assert.throws(() => ensureBpffs("/sys/fs/bpf/weft/v1.2", never, [root]), /v1\.2 has a dot/);
  });
});
