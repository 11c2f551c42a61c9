import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { describeKernel, members, runWeft, type Services, type TestServer, useWorld } from "../kit/mod.ts";
import { assertRecordsAgree, recordsOf } from "./_agent_records.ts";

/** Nobody connects to them: it is how many there are that matters. */
const addresses: Record<string, TestServer> = Object.fromEntries(
  Array.from(
    { length: 40 },
    (_, i) => [`m${i}`, { name: `m${i}`, v4: `10.88.0.${i + 1}`, v6: `fd88::${i + 1}` }],
  ),
);
const some = (count: number) => members(...Object.keys(addresses).slice(0, count));

/** Services of so many endpoints each. */
function meshOf(lengths: readonly number[]): Services {
  return Object.fromEntries(
    lengths.map((length, i) => [`s${i}`, { vips: [`10.96.${i >> 8}.${i & 255}`], members: some(length) }]),
  );
}

/** A metric's values by their labels, as they are written. */
function parseMetrics(text: string): Map<string, number> {
  return new Map(
    text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describeKernel("weft records and weft metrics", () => {
  const lengths = [...Array<number>(40).fill(3), ...Array<number>(9).fill(20), 1, 2, 40];
  const world = useWorld({ services: meshOf(lengths), addresses });

  it("say what the kernel's own iteration finds: after a burst, growth, moves and shrinking", async () => {
    const { agent } = world();
    const first = await assertRecordsAgree(agent);
    assert.equal(first.slots.used, lengths.length);
    assert.deepEqual([first.counts.bursts, first.counts.burstRecords], [1, lengths.length]);
    assert.deepEqual(
      first.classes.filter(({ used }) => used > 0).map(({ capacity, used }) => [capacity, used]),
      [[1, 1], [2, 1], [3, 40], [20, 9], [40, 1]],
    );
    for (const { used, allocated } of first.classes) assert.ok(used / allocated < 0.7);

    await agent.reload(meshOf([...lengths, 3, 20, 3]));
    const second = await assertRecordsAgree(agent);
    assert.deepEqual([second.counts.bursts, second.counts.fromSpares], [1, 3]);
    await agent.reload(meshOf([...lengths.map((length) => length + 1), 3]));
    const third = await assertRecordsAgree(agent);
    assert.equal(third.slots.used, lengths.length + 1);
    await agent.reload(meshOf(lengths.slice(0, 4)));
    const last = await assertRecordsAgree(agent);
    assert.equal(last.slots.used, 4);
    for (const { used, allocated, step } of last.classes) {
      assert.ok(allocated <= step || used / allocated > 0.3, JSON.stringify(last.classes));
    }
    const { grown, shrunk, burstRecords } = last.counts;
    assert.equal(last.slots.allocated, burstRecords + grown - shrunk);
  });

  it("agree with each other, and with weft status", async () => {
    const { agent } = world();
    await agent.reload(meshOf(lengths));
    await assertRecordsAgree(agent);
    const [table, metrics, status] = await Promise.all([
      agent.weft("records"),
      agent.weft("metrics"),
      agent.status(),
    ]);
    const records = await recordsOf(agent);
    assert.deepEqual([table.code, table.stderr, metrics.code, metrics.stderr], [0, "", 0, ""]);

    const map = status.maps.find(({ name }) => name === "records")!;
    assert.deepEqual([map.used, map.size], [records.slots.used, records.slots.size]);
    const sum = (of: (one: typeof records.classes[number]) => number) =>
      records.classes.reduce((sum, one) => sum + of(one), 0);
    assert.deepEqual(
      [sum((one) => one.used), sum((one) => one.allocated), sum((one) => one.bytes)],
      [records.slots.used, records.slots.allocated, records.bytes],
    );

    const values = parseMetrics(metrics.stdout);
    for (const { capacity, used, allocated, highestSlot, bytes } of records.classes) {
      const label = `{capacity="${capacity}"}`;
      assert.deepEqual(
        ["used", "allocated"].map((what) => values.get(`weft_record_slots_${what}${label}`)),
        [used, allocated],
      );
      assert.equal(values.get(`weft_record_slot_highest${label}`), highestSlot);
      assert.equal(values.get(`weft_record_bytes${label}`), bytes);
    }
    const labelled = [...values.keys()].filter((key) => key.startsWith("weft_record_slots_used{"));
    assert.equal(labelled.length, records.classes.length);
    assert.deepEqual(
      [
        "records_from_spares",
        "record_bursts",
        "record_burst_records",
        "record_slots_grown",
        "record_slots_shrunk",
        "record_slots_repaired",
      ].map((name) => values.get(`weft_${name}_total`)),
      [
        records.counts.fromSpares,
        records.counts.bursts,
        records.counts.burstRecords,
        records.counts.grown,
        records.counts.shrunk,
        records.counts.repaired,
      ],
    );
    assert.deepEqual(
      [values.get("weft_record_grow_at"), values.get("weft_record_shrink_at")],
      [records.watermarks.growAt, records.watermarks.shrinkAt],
    );
    assert.equal(values.get('weft_map_size{map="records"}'), records.slots.size);

    const rows = table.stdout.split("\n").map((line) => line.trim().split(/\s+/));
    const head = rows.findIndex(([first]) => first === "CAPACITY");
    const shown = rows.slice(head + 1).filter((row) => row.length > 1);
    assert.deepEqual(
      shown.map((
        [capacity, used, allocated, full, highest, step],
      ) => [capacity, used, allocated, full, highest, step]),
      records.classes.map((one) => [
        ...[one.capacity, one.used, one.allocated].map(String),
        `${Math.round(100 * one.used / one.allocated)}%`,
        ...[one.highestSlot, one.step].map(String),
      ]),
    );
    const { slots } = records;
    assert.match(
      table.stdout,
      new RegExp(
        `^slots +${slots.used} used, ${slots.allocated} allocated, ${slots.size} in the outer map$`,
        "m",
      ),
    );
  });

  it("need an agent, and say how to get one", async () => {
    for (const command of ["records", "metrics"]) {
      const { code, stdout, stderr } = await runWeft([command, "--pin-root", "/sys/fs/bpf/weft-test-nobody"]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /weft run/);
    }
  });
});
