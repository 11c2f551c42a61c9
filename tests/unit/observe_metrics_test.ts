import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { recordsView } from "../../src/agent/records_view.ts";
import {
  type RecordsResponse,
  recordsResponse,
  type StatusResponse,
  statusResponse,
} from "../../src/observe/api.ts";
import { metricsText } from "../../src/observe/metrics.ts";
import { defaultWatermarks } from "../../src/records/mod.ts";
import { createDatapathHost, serviceOf } from "./_datapath_host.ts";

const status: StatusResponse = statusResponse.parse({
  ready: true,
  agent: null,
  pinRoot: "/p",
  cgroup: "/c",
  programs: [],
  maps: [
    { name: "records", used: 5, size: 128, bytes: 4096 },
    { name: "flows", used: null, size: 16, bytes: 512 },
  ],
  counters: { connects: 11, 'odd"one\\': 2 },
  mesh: null,
  controlPlane: null,
  flushes: 7,
  lastFlush: null,
  outliers: { aside: 3, setAside: 9, letIn: 6, shareReached: 2 },
  needsWaypoint: [],
  errors: [],
  warnings: [],
});

const records: RecordsResponse = recordsResponse.parse({
  slots: { used: 5, allocated: 9, size: 128 },
  bytes: 3000,
  watermarks: { growAt: 0.75, shrinkAt: 0.25 },
  classes: [
    { capacity: 3, used: 4, allocated: 6, highestSlot: 8, step: 4, bytes: 2016 },
    { capacity: 20, used: 1, allocated: 3, highestSlot: 12, step: 2, bytes: 1416 },
  ],
  counts: { fromSpares: 21, bursts: 2, burstRecords: 13, grown: 30, shrunk: 17, repaired: 1 },
  error: null,
});

/** Each sample, by its name with labels; and the type of each metric. Asserts that every line is one of the format's. */
function parse(text: string): { samples: Map<string, number>; types: Map<string, string> } {
  assert.ok(text.endsWith("\n"));
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  const helped = new Set<string>();
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const help = /^# HELP (weft_[a-z_]+) [A-Z0-9]\S*( \S+)+$/.exec(line);
    const type = /^# TYPE (weft_[a-z_]+) (gauge|counter)$/.exec(line);
    const sample = /^((weft_[a-z_]+)(?:\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"\})?) (-?[0-9.e+]+)$/.exec(line);
    if (help) {
      assert.ok(!helped.has(help[1]), `${help[1]} is explained twice`);
      helped.add(help[1]);
    } else if (type) types.set(type[1], type[2]);
    else if (sample) {
      assert.ok(helped.has(sample[2]) && types.has(sample[2]), `${sample[2]} comes before its help or type`);
      assert.equal(types.get(sample[2]) === "counter", sample[2].endsWith("_total"), sample[2]);
      assert.ok(!samples.has(sample[1]), `${sample[1]} is there twice`);
      samples.set(sample[1], Number(sample[3]));
    } else assert.fail(`no line of the format: ${line}`);
  }
  return { samples, types };
}

describe("the metrics", () => {
  it("say what status and records say", async () => {
    const { samples } = parse(await metricsText(status, records));
    const expected: Record<string, number> = {
      weft_ready: 1,
      weft_flushes_total: 7,
      'weft_kernel_events_total{event="connects"}': 11,
      'weft_kernel_events_total{event="odd\\"one\\\\"}': 2,
      weft_endpoints_aside: 3,
      weft_endpoints_set_aside_total: 9,
      weft_endpoints_let_in_total: 6,
      weft_endpoints_share_reached_total: 2,
      'weft_map_entries{map="records"}': 5,
      'weft_map_size{map="records"}': 128,
      'weft_map_bytes{map="records"}': 4096,
      'weft_map_size{map="flows"}': 16,
      'weft_map_bytes{map="flows"}': 512,
      'weft_record_slots_used{capacity="3"}': 4,
      'weft_record_slots_allocated{capacity="3"}': 6,
      'weft_record_slot_highest{capacity="3"}': 8,
      'weft_record_step{capacity="3"}': 4,
      'weft_record_bytes{capacity="3"}': 2016,
      'weft_record_slots_used{capacity="20"}': 1,
      'weft_record_slots_allocated{capacity="20"}': 3,
      'weft_record_slot_highest{capacity="20"}': 12,
      'weft_record_step{capacity="20"}': 2,
      'weft_record_bytes{capacity="20"}': 1416,
      weft_record_grow_at: 0.75,
      weft_record_shrink_at: 0.25,
      weft_records_from_spares_total: 21,
      weft_record_bursts_total: 2,
      weft_record_burst_records_total: 13,
      weft_record_slots_grown_total: 30,
      weft_record_slots_shrunk_total: 17,
      weft_record_slots_repaired_total: 1,
      weft_record_background_failing: 0,
    };
    assert.deepEqual(Object.fromEntries(samples), expected);
  });

  it("say nothing of endpoints that are never set aside", async () => {
    const { samples } = parse(await metricsText({ ...status, outliers: null }, records));
    assert.deepEqual([...samples.keys()].filter((name) => name.startsWith("weft_endpoints")), []);
  });

  it("say that something failed in the background, and that nothing serves", async () => {
    const { samples } = parse(
      await metricsText({ ...status, ready: false }, { ...records, error: "there is no larger one" }),
    );
    assert.equal(samples.get("weft_ready"), 0);
    assert.equal(samples.get("weft_record_background_failing"), 1);
  });

  it("are those of the pool as it is", async () => {
    using host = createDatapathHost();
    const datapath = host.open();
    await datapath.flush([1, 2, 3].map((n) => serviceOf(n, 3)));
    await datapath.settle();
    await datapath.flush([serviceOf(1, 9)]);
    await datapath.settle();
    const view = recordsResponse.parse(recordsView(datapath, defaultWatermarks));
    assert.deepEqual(view.slots, { used: 3, allocated: datapath.pool.allocated, size: 128 });
    assert.equal(view.bytes, datapath.pool.memory());
    assert.deepEqual(view.classes, datapath.pool.classes());
    assert.deepEqual(view.counts, datapath.pool.counts);
    assert.deepEqual(view.watermarks, { growAt: 0.7, shrinkAt: 0.3 });
    const { samples } = parse(await metricsText(status, view));
    const used = [...samples].filter(([name]) => name.startsWith("weft_record_slots_used"));
    assert.equal(used.reduce((sum, [, value]) => sum + value, 0), 3);
    assert.ok(samples.get("weft_record_slots_grown_total")! > 0);
  });
});
