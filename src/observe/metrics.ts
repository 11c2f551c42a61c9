/** What the agent tells in the Prometheus text format. */

import { Counter, Gauge, Registry } from "prom-client";
import type { RecordsResponse, StatusResponse } from "./api.ts";

/** All metrics, made anew from the same answers that `weft status` and `weft records` show. */
export async function metricsText(status: StatusResponse, records: RecordsResponse): Promise<string> {
  const registry = new Registry();
  const define = (
    kind: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    labelNames: string[] = [],
  ) => new kind({ name, help, labelNames, registers: [registry] });
  const gauge = (name: string, help: string, value: number) => define(Gauge, name, help).inc(value);
  const counter = (name: string, help: string, value: number) => define(Counter, name, help).inc(value);

  gauge("weft_ready", "1: attached, and the first configuration is in the kernel", status.ready ? 1 : 0);
  counter("weft_flushes_total", "Flushes that changed the kernel", status.flushes);
  const events = define(Counter, "weft_kernel_events_total", "What the programs count", ["event"]);
  for (const [event, value] of Object.entries(status.counters)) events.inc({ event }, value);

  const entries = define(Gauge, "weft_map_entries", "Entries in use", ["map"]);
  const sizes = define(Gauge, "weft_map_size", "Entries that a map has room for", ["map"]);
  const bytes = define(Gauge, "weft_map_bytes", "Kernel memory of a map", ["map"]);
  for (const map of status.maps) {
    if (map.used !== null) entries.inc({ map: map.name }, map.used);
    sizes.inc({ map: map.name }, map.size);
    bytes.inc({ map: map.name }, map.bytes);
  }

  const labels = ["capacity"];
  const used = define(Gauge, "weft_record_slots_used", "Slots that hold a record", labels);
  const allocated = define(Gauge, "weft_record_slots_allocated", "Slots that hold an inner map", labels);
  const highest = define(Gauge, "weft_record_slot_highest", "Highest allocated slot", labels);
  const step = define(Gauge, "weft_record_step", "Slots are added and freed in multiples of it", labels);
  const classBytes = define(Gauge, "weft_record_bytes", "Kernel memory of inner maps", labels);
  for (const one of records.classes) {
    const label = { capacity: String(one.capacity) };
    used.inc(label, one.used);
    allocated.inc(label, one.allocated);
    highest.inc(label, one.highestSlot);
    step.inc(label, one.step);
    classBytes.inc(label, one.bytes);
  }
  const { watermarks, counts } = records;
  gauge("weft_record_grow_at", "Share of used slots at which a class grows", watermarks.growAt);
  gauge("weft_record_shrink_at", "Share of used slots at which a class shrinks", watermarks.shrinkAt);
  counter("weft_records_from_spares_total", "Records that took a spare", counts.fromSpares);
  counter("weft_record_bursts_total", "Flushes that found too few spares", counts.bursts);
  counter(
    "weft_record_burst_records_total",
    "Records that such flushes published in batches",
    counts.burstRecords,
  );
  counter("weft_record_slots_grown_total", "Spares added in the background", counts.grown);
  counter("weft_record_slots_shrunk_total", "Spares freed in the background", counts.shrunk);
  counter(
    "weft_record_slots_repaired_total",
    "Slots put right that somebody else had changed",
    counts.repaired,
  );
  gauge(
    "weft_record_background_failing",
    "1: growing, shrinking or freeing failed last",
    records.error ? 1 : 0,
  );
  return await registry.metrics();
}
