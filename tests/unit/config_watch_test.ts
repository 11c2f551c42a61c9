import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { watchFile } from "../../src/config/mod.ts";

/** A directory of its own, and what a watch on a path in it told. */
interface Watched {
  readonly directory: string;
  /** `performance.now()` of each change that was told. */
  readonly told: number[];
  /** Waits until so many changes were told in all. */
  toldAtLeast(count: number): Promise<void>;
}

/** Writes `mesh.yaml` (`before` may put something else there), watches it, and runs a test on it. */
async function watching(
  test: (watched: Watched) => Promise<void>,
  before = (directory: string) => Deno.writeTextFile(`${directory}/mesh.yaml`, "one"),
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "weft-watch-" });
  const stop = new AbortController();
  const told: number[] = [];
  try {
    await before(directory);
    const changes = watchFile(`${directory}/mesh.yaml`, { signal: stop.signal, pollMs: 20 });
    const ended = (async () => {
      for await (const _ of changes) told.push(performance.now());
    })();
    const toldAtLeast = async (count: number) => {
      const deadline = performance.now() + 5000;
      while (told.length < count) {
        assert.ok(performance.now() < deadline, `${count} changes expected, ${told.length} told`);
        await sleep(10);
      }
    };
    await test({ directory, told, toldAtLeast });
    stop.abort();
    await ended;
  } finally {
    stop.abort();
    await Deno.remove(directory, { recursive: true });
  }
}

/** Longer than a change takes to be told. */
const aWhile = 400;

describe("watchFile", () => {
  it("tells nothing while nothing changes", () =>
    watching(async ({ told }) => {
      await sleep(aWhile);
      assert.deepEqual(told, []);
    }));

  it("tells a file that is written anew, once it has been still for 200 ms", () =>
    watching(async ({ directory, told, toldAtLeast }) => {
      await Deno.writeTextFile(`${directory}/mesh.yaml`, "two");
      const written = performance.now();
      await toldAtLeast(1);
      assert.ok(told[0] - written >= 200, `told after ${told[0] - written} ms`);
      await sleep(aWhile);
      assert.equal(told.length, 1);
    }));

  it("tells a file that is written in two halves once, after the second", () =>
    watching(async ({ directory, told, toldAtLeast }) => {
      await Deno.writeTextFile(`${directory}/mesh.yaml`, "half");
      await sleep(100);
      await Deno.writeTextFile(`${directory}/mesh.yaml`, " and half", { append: true });
      const written = performance.now();
      await toldAtLeast(1);
      assert.ok(told[0] - written >= 200, `told after ${told[0] - written} ms`);
      await sleep(aWhile);
      assert.equal(told.length, 1);
    }));

  it("follows a file that is renamed over it, of the same size and times", () =>
    watching(async ({ directory, told, toldAtLeast }) => {
      for (const content of ["two", "six"]) {
        const { mtime } = await Deno.stat(`${directory}/mesh.yaml`);
        assert.ok(mtime);
        await Deno.writeTextFile(`${directory}/mesh.yaml~`, content);
        await Deno.utime(`${directory}/mesh.yaml~`, mtime, mtime);
        await Deno.rename(`${directory}/mesh.yaml~`, `${directory}/mesh.yaml`);
        await toldAtLeast(told.length + 1);
      }
      await sleep(aWhile);
      assert.equal(told.length, 2);
    }));

  it("follows a link in the middle of the path, as a ConfigMap changes", () =>
    watching(
      async ({ directory, told, toldAtLeast }) => {
        await Deno.symlink("version-2", `${directory}/..data_tmp`);
        await Deno.rename(`${directory}/..data_tmp`, `${directory}/..data`);
        await toldAtLeast(1);
        await sleep(aWhile);
        assert.equal(told.length, 1);
      },
      async (directory) => {
        for (const version of ["version-1", "version-2"]) {
          await Deno.mkdir(`${directory}/${version}`);
          await Deno.writeTextFile(`${directory}/${version}/mesh.yaml`, version);
        }
        await Deno.symlink("version-1", `${directory}/..data`);
        await Deno.symlink("..data/mesh.yaml", `${directory}/mesh.yaml`);
      },
    ));

  it("tells a file that is deleted and created anew at once as one change", () =>
    watching(async ({ directory, told, toldAtLeast }) => {
      await Deno.remove(`${directory}/mesh.yaml`);
      await sleep(60);
      await Deno.writeTextFile(`${directory}/mesh.yaml`, "one");
      await toldAtLeast(1);
      await sleep(aWhile);
      assert.equal(told.length, 1);
    }));

  it("tells a file that goes away, and that it is there again", () =>
    watching(async ({ directory, toldAtLeast }) => {
      await Deno.remove(`${directory}/mesh.yaml`);
      await toldAtLeast(1);
      await Deno.writeTextFile(`${directory}/mesh.yaml`, "one");
      await toldAtLeast(2);
    }));

  it("tells a file that appears", () =>
    watching(async ({ directory, toldAtLeast }) => {
      await Deno.writeTextFile(`${directory}/mesh.yaml`, "one");
      await toldAtLeast(1);
    }, () => Promise.resolve()));

  it("tells a change that came between the call and the first look at what it returns", async () => {
    const path = await Deno.makeTempFile({ prefix: "weft-watch-" });
    try {
      const changes = watchFile(path, { signal: AbortSignal.timeout(5000), pollMs: 20, stillMs: 40 });
      await Deno.writeTextFile(path, "changed");
      assert.equal((await changes.next()).done, false);
      await changes.return();
    } finally {
      await Deno.remove(path);
    }
  });

  it("ends with its signal, whether it waits or not", async () => {
    const stop = new AbortController();
    const waiting = watchFile("/nowhere", { signal: stop.signal, pollMs: 60_000 }).next();
    stop.abort();
    assert.equal((await waiting).done, true);
    assert.equal((await watchFile("/nowhere", { signal: AbortSignal.abort() }).next()).done, true);
  });
});
