import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { KernelMap, workload } from "../../ffi/mod.ts";
import { frontendWord } from "../../src/dataplane/frontend_tag.ts";
import { copyCounts, createMeshMaps, growMeshMaps, type MeshMaps } from "../../src/dataplane/maps.ts";
import { finish } from "../../src/host/mod.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import { createFakeKernel } from "./_fake_kernel.ts";

/** More than one batch of every map, and not a whole number of them. */
const count = 9001;
const sizes = {
  frontends: 3 * count,
  services: count,
  endpoints: count,
  endpointConnections: count,
  records: 8,
};
const indexes = Array.from({ length: count }, (_, i) => i);

function frontend(id: number): [workload.FrontendKey, workload.Frontend] {
  const key = { address: addressToBytes(`10.96.${id >> 8}.${id & 255}`), port: 80, protocol: 6 };
  return [key, frontendWord(key, id)];
}

/** What an agent and programs have written into a generation's maps. */
async function filled(kernel: ReturnType<typeof createFakeKernel>): Promise<MeshMaps> {
  let pauses = 0;
  const maps = await createMeshMaps(kernel.shim, sizes, () => Promise.resolve(void pauses++));
  assert.ok(pauses > 10, "others have their turn between maps");
  const frontends = indexes.map(frontend);
  maps.frontends.updateMany(frontends);
  maps.frontendLines.put(frontends);
  maps.services.updateMany(
    indexes.map((i) => [i, { flags: 0, choices: i, limit: 0, tier: { slot: i, count: 1 } }] as const),
  );
  const address = addressToBytes("10.1.0.1");
  maps.endpoints.updateMany(indexes.map((i) => [i, { address, port: i, flags: 1, generation: i }] as const));
  maps.endpointConnections.updateMany(indexes.map((i) => [i, { active: i, generation: 2 * i }] as const));
  for (const map of [maps.endpointHits, maps.refusals]) {
    map.updateMany(indexes.map((i) => [i, BigInt(7 * i)] as const));
  }
  return maps;
}

describe("a larger generation", () => {
  const copied = ["frontends", "services", "endpoints"] as const;
  const counted = ["endpointHits", "refusals", "endpointConnections"] as const;
  const contents = <K, V>(map: KernelMap<K, V>) =>
    [...map.entries()].filter(([key]) => typeof key !== "number" || key < count).map((entry) =>
      JSON.stringify(entry, (_, value) => typeof value === "bigint" ? `${value}` : value)
    ).sort();

  it("holds all that the old one does, and what was counted when its turn comes; others have theirs meanwhile", async () => {
    const kernel = createFakeKernel();
    const old = await filled(kernel);
    let pauses = 0;
    const pause = () => {
      pauses++;
      return undefined;
    };
    const larger = Object.fromEntries(
      Object.entries(sizes).map(([name, size]) => [name, 2 * size]),
    ) as typeof sizes;
    const next = await growMeshMaps(kernel.shim, old, larger, 0, pause);
    for (const name of copied) {
      assert.deepEqual(contents<unknown, unknown>(next[name]), contents<unknown, unknown>(old[name]), name);
    }
    assert.ok(pauses > count, `${pauses} pauses`);
    const lineIds = new Set(
      next.frontendLines.map.entries().flatMap(([, { first, second }]) => [
        first.frontend.servicePort,
        second.frontend.servicePort,
      ]),
    );
    const placed = next.frontendLines.ways.filter((way) => way !== undefined).length;
    assert.ok(placed > 0.6 * count, `${placed} frontends have a way`);
    for (const way of next.frontendLines.ways) {
      if (way) assert.ok(lineIds.has(way.frontend.servicePort), "what has a way is in the kernel");
    }

    assert.deepEqual([next.endpointHits.lookup(8), next.refusals.lookup(8)], [0n, 0n]);
    old.endpointHits.update(8, 1000n);
    finish(copyCounts(old, next));
    assert.equal(next.endpointHits.lookup(8), 1000n);
    for (const name of counted) {
      assert.deepEqual(contents<unknown, unknown>(next[name]), contents<unknown, unknown>(old[name]), name);
    }
  });
});
