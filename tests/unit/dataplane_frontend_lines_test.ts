import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { ArrayMap, createMap, workload } from "../../ffi/mod.ts";
import { createFrontendLines, type FrontendLines, lineCount } from "../../src/dataplane/frontend_lines.ts";
import { frontendTag, frontendWord } from "../../src/dataplane/frontend_tag.ts";
import { finish } from "../../src/host/mod.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import { createFakeKernel, type FakeKernel } from "./_fake_kernel.ts";

const count = 8;
type Frontend = [workload.FrontendKey, workload.Frontend];

function keyOf(address: string, port = 80): workload.FrontendKey {
  return { address: addressToBytes(address), port, protocol: 6 };
}

/** Different keys that belong into one line. */
function keysOfLine(line: number, some: number): workload.FrontendKey[] {
  const keys: workload.FrontendKey[] = [];
  for (let i = 1; keys.length < some; i++) {
    const key = keyOf(`10.96.${i >> 8}.${i & 0xff}`);
    if ((frontendTag(key) & (count - 1)) === line) keys.push(key);
  }
  return keys;
}

const frontend = (key: workload.FrontendKey, id: number): Frontend => [key, frontendWord(key, id)];

describe("frontend lines", () => {
  let kernel: FakeKernel;
  let map: ArrayMap<workload.FrontendLine>;
  let lines: FrontendLines;

  beforeEach(() => {
    kernel = createFakeKernel();
    const shape = { name: "frontend_lines", value: workload.frontendLine };
    const made = {
      type: workload.mapTypes.frontend_lines,
      name: shape.name,
      keySize: 4,
      valueSize: shape.value.size,
      maxEntries: count,
    };
    map = new ArrayMap(kernel.shim, createMap(kernel.shim, made), shape);
    lines = createFrontendLines(map);
  });
  afterEach(() => lines[Symbol.dispose]());

  /** What the kernel finds: the id of each key in its line. */
  function idOf(key: workload.FrontendKey): number | undefined {
    const { first, second } = map.lookup(frontendTag(key) & (count - 1))!;
    return [first, second].find((way) =>
      Buffer.from(way.key.address).equals(key.address) && way.key.port === key.port
    )
      ?.frontend.servicePort;
  }

  it("take two frontends each; a third one has to be looked up elsewhere, until a way is free", () => {
    const [a, b, c] = keysOfLine(3, 3);
    lines.put([frontend(a, 10), frontend(b, 11), frontend(c, 12)]);
    assert.deepEqual([a, b, c].map(idOf), [10, 11, undefined]);
    lines.delete([a]);
    assert.deepEqual([a, b, c].map(idOf), [undefined, 11, undefined]);
    lines.put([frontend(c, 12)]);
    assert.deepEqual([a, b, c].map(idOf), [undefined, 11, 12]);
  });

  it("change a frontend where it is", () => {
    const [a, b] = keysOfLine(0, 2);
    lines.put([frontend(a, 10), frontend(b, 11)]);
    lines.put([frontend(b, 20), frontend(a, 21)]);
    assert.deepEqual([a, b].map(idOf), [21, 20]);
  });

  it("have no place for a whole VIP, and nothing to delete of what they do not hold", () => {
    const whole: workload.FrontendKey = { ...keyOf("10.96.0.1"), port: 0, protocol: 0 };
    let writes = 0;
    kernel.onWrite = () => writes++;
    lines.put([frontend(whole, 1)]);
    lines.delete([whole, keyOf("10.96.9.9")]);
    assert.equal(writes, 0);
  });

  it("forget what they held when they are filled anew", () => {
    const [a, b] = keysOfLine(5, 2);
    lines.put([frontend(a, 10)]);
    const other = createFrontendLines(map);
    finish(other.fill([frontend(b, 11)]));
    assert.deepEqual([a, b].map(idOf), [undefined, 11]);
  });

  it("are filled anew to the last one, however many there are", () => {
    const shape = { name: "frontend_lines", value: workload.frontendLine };
    const size = 3 * 4096;
    const many = new ArrayMap(
      kernel.shim,
      createMap(kernel.shim, {
        ...{ type: workload.mapTypes.frontend_lines, name: shape.name, keySize: 4 },
        ...{ valueSize: shape.value.size, maxEntries: size },
      }),
      shape,
    );
    const stale = frontend(keyOf("10.96.0.1"), 9);
    const [key, value] = stale;
    const line = { first: { key, frontend: value }, second: { key, frontend: value } };
    many.updateMany(Array.from({ length: size }, (_, i) => [i, line] as const));
    using all = createFrontendLines(many);
    finish(all.fill([]));
    const left = many.entries().filter(([, { first, second }]) =>
      first.frontend.servicePort !== 0 || second.frontend.servicePort !== 0
    );
    assert.deepEqual([...left], []);
    // And again, by the same handle.
    all.put([stale]);
    finish(all.fill([]));
    assert.deepEqual(all.ways.filter((way) => way !== undefined), []);
  });

  it("are written in one call, however many there are", () => {
    const some = Array.from({ length: 6 }, (_, line) => frontend(keysOfLine(line, 1)[0], line));
    const before = kernel.shim.counts.get("frontend_lines.update_batch") ?? 0;
    lines.put(some);
    assert.equal(kernel.shim.counts.get("frontend_lines.update_batch"), before + 1);
  });

  it("are half as many as there may be frontends, a power of two", () => {
    assert.deepEqual([1, 2, 3, 5, 16_384, 20_000].map(lineCount), [1, 1, 2, 4, 8192, 16_384]);
  });
});
