/**
 * Publishes as many records as its argument says, edits, releases and frees them, and prints how many files were open meanwhile.
 * records_pool_test.ts runs it under a limit.
 */

import assert from "node:assert/strict";
import { probePublishThreads } from "../../src/agent/publish_threads.ts";
import { openShim } from "../../ffi/mod.ts";
import { assertRecord, entriesOf, openKernelPool } from "./_pool.ts";

const count = Number(Deno.args[0]);

let mostOpen = 0;
function countOpen(): void {
  mostOpen = Math.max(mostOpen, [...Deno.readDirSync("/proc/self/fd")].length);
}

const line = Deno.readTextFileSync("/proc/self/limits").split("\n").find((one) =>
  /^Max open files/.test(one)
)!;
const limits = line.split(/\s{2,}/).slice(1, 3);

const threads = await (async () => {
  using shim = openShim();
  return await probePublishThreads(shim);
})();
using kernel = await openKernelPool(threads, { size: count * 2 });
const { pool, outer } = kernel;
// Publishing waits on another thread while its batch of inner maps is open.
const timer = setInterval(countOpen, 1);
const places = Array.from({ length: count }, (_, i) => pool.acquire(1 + i % 3));
await pool.publish(places.map(({ slot }, i) => ({ slot, entries: entriesOf(1 + i % 3, i) })));
countOpen();
const published = outer.entries().length - 1;

const edit = { threshold: 1, endpoint: 2 };
for (let i = 0; i < count; i += 3) pool.write([{ slot: places[i].slot, writes: [[0, edit]] }]);
countOpen();
assertRecord(kernel, places[0].slot, [edit]);
// The last that was not edited.
const kept = count - (count % 3 === 1 ? 2 : 1);
assertRecord(kernel, places[kept].slot, entriesOf(1 + kept % 3, kept));

await pool.tend(); // grows: many spares at once
countOpen();
assert.ok(pool.allocated > count);
pool.release(places.map(({ slot }) => slot));
await pool.tend(); // frees nearly all
countOpen();
clearInterval(timer);
console.log(JSON.stringify({ limits, mostOpen, published, allocatedAtEnd: pool.allocated }));
