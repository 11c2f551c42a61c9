/** What publishing 10,000 records takes, in batches and one by one. */

import { ArrayOfMaps, type Shim } from "../ffi/mod.ts";
import { createOuterMap, createRecordPool, defaultWatermarks, type RecordPool } from "../src/records/mod.ts";
import { callsBetween, sumOf } from "./calls.ts";
import type { BenchmarkOptions, Figure } from "./figure.ts";
import { median } from "./statistics.ts";

const records = 10_000;
const length = 20;
const entries = Array.from({ length }, (_, endpoint) => ({ threshold: 0, endpoint }));

/** Publishes so many records of the usual length into an empty pool. @returns milliseconds */
async function publish(pool: RecordPool, count: number): Promise<number> {
  const contents = Array.from({ length: count }, () => ({ slot: pool.acquire(length).slot, entries }));
  const start = performance.now();
  await pool.publish(contents);
  return performance.now() - start;
}

export async function publishFigures(shim: Shim, { quick, say }: BenchmarkOptions): Promise<Figure[]> {
  const singles = quick ? 50 : 300;
  say(`publishing ${records} records in batches, and ${singles} one by one`);
  using outer = await createOuterMap(shim, (fd) => new ArrayOfMaps(shim, fd, "records"), 2 * records);
  const newPool = () =>
    createRecordPool({ shim, outer: () => outer, threads: 0, watermarks: defaultWatermarks });
  const batched: number[] = [];
  const single: number[] = [];
  let calls = new Map<string, number>() as ReturnType<typeof callsBetween>;
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    const before = new Map(shim.counts);
    batched.push(await publish(newPool(), records));
    calls = callsBetween(before, shim.counts);
    // The same slots are published over.
    const pool = newPool();
    for (let i = 0; i < singles / (quick ? 1 : 5); i++) single.push(await publish(pool, 1));
  }
  const [threaded] = [
    await publish(
      createRecordPool({ shim, outer: () => outer, threads: 64, watermarks: defaultWatermarks }),
      records,
    ),
  ];
  const oneMs = median(single);
  const allMs = median(batched);
  return [
    {
      name: "10,000 records: in batches / one update per record",
      value: allMs / (oneMs * records),
      unit: "×",
      goal: 0.01,
      details: {
        "batches ms": allMs,
        "one record ms": oneMs,
        "one by one, all ms (one × 10,000)": oneMs * records,
        "times faster": oneMs * records / allMs,
        "bpf() calls a record": sumOf(calls) / records,
        "64 threads, as before 6.8, ms": threaded,
      },
    },
  ];
}
