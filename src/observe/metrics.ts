/** What the agent tells in the Prometheus text format. */

import type { RecordsResponse, StatusResponse } from "./api.ts";
import { type Metric, renderMetrics } from "./metrics_text.ts";

/** All metrics, from the same answers that `weft status` and `weft records` show. */
export function metricsText(status: StatusResponse, records: RecordsResponse): string {
  return renderMetrics([
    ...statusMetrics(status),
    ...controlPlaneMetrics(status.controlPlane),
    ...recordMetrics(records),
  ]);
}

const single = (type: Metric["type"]) => (name: string, help: string, value: number): Metric => ({
  name,
  help,
  type,
  samples: [{ labels: {}, value }],
});
const gauge = single("gauge");
const counter = single("counter");

function statusMetrics({ ready, flushes, counters, maps, outliers }: StatusResponse): Metric[] {
  const byMap = (name: string, help: string, value: (map: typeof maps[number]) => number | null): Metric => ({
    name,
    help,
    type: "gauge",
    samples: maps.flatMap((map) => {
      const one = value(map);
      return one === null ? [] : [{ labels: { map: map.name }, value: one }];
    }),
  });
  return [
    gauge("weft_ready", "1: attached, and the first configuration is in the kernel", ready ? 1 : 0),
    counter("weft_flushes_total", "Flushes that changed the kernel", flushes),
    {
      name: "weft_kernel_events_total",
      help: "What the programs count",
      type: "counter",
      samples: Object.entries(counters).map(([event, value]) => ({ labels: { event }, value })),
    },
    ...outliers ? outlierMetrics(outliers) : [],
    byMap("weft_map_entries", "Entries in use", (map) => map.used),
    byMap("weft_map_size", "Entries that a map has room for", (map) => map.size),
    byMap("weft_map_bytes", "Kernel memory of a map", (map) => map.bytes),
  ];
}

function controlPlaneMetrics(plane: StatusResponse["controlPlane"]): Metric[] {
  if (plane === null) return [];
  type One = typeof plane.types[number];
  const byType = (type: Metric["type"], name: string, help: string, value: (one: One) => number): Metric => ({
    name,
    help,
    type,
    samples: plane.types.map((one) => ({ labels: { type: one.type }, value: value(one) })),
  });
  return [
    gauge("weft_xds_connected", "1: there is a stream to the control plane", plane.connected ? 1 : 0),
    counter("weft_xds_streams_total", "Streams that were opened", plane.streams),
    byType("gauge", "weft_xds_resources", "Accepted resources", (one) => one.resources),
    byType(
      "gauge",
      "weft_xds_rejected_resources",
      "Resources that are refused now",
      (one) => one.rejected,
    ),
    byType("counter", "weft_xds_responses_total", "Responses that came", (one) => one.responses),
    byType("counter", "weft_xds_nacks_total", "Responses rejected as a whole or in part", (one) => one.nacks),
  ];
}

function outlierMetrics(
  { aside, setAside, letIn, shareReached }: NonNullable<StatusResponse["outliers"]>,
): Metric[] {
  return [
    gauge("weft_endpoints_aside", "Endpoints that are set aside as connects to them failed", aside),
    counter("weft_endpoints_set_aside_total", "Endpoints set aside", setAside),
    counter("weft_endpoints_let_in_total", "Endpoints let back in", letIn),
    counter(
      "weft_endpoints_share_reached_total",
      "Endpoints that were not set aside because too many of their tier were",
      shareReached,
    ),
  ];
}

function recordMetrics({ classes, watermarks, counts, error }: RecordsResponse): Metric[] {
  const byClass = (name: string, help: string, value: (one: typeof classes[number]) => number): Metric => ({
    name,
    help,
    type: "gauge",
    samples: classes.map((one) => ({ labels: { capacity: String(one.capacity) }, value: value(one) })),
  });
  return [
    byClass("weft_record_slots_used", "Slots that hold a record", (one) => one.used),
    byClass("weft_record_slots_allocated", "Slots that hold an inner map", (one) => one.allocated),
    byClass("weft_record_slot_highest", "Highest allocated slot", (one) => one.highestSlot),
    byClass("weft_record_step", "Slots are added and freed in multiples of it", (one) => one.step),
    byClass("weft_record_bytes", "Kernel memory of inner maps", (one) => one.bytes),
    gauge("weft_record_grow_at", "Share of used slots at which a class grows", watermarks.growAt),
    gauge("weft_record_shrink_at", "Share of used slots at which a class shrinks", watermarks.shrinkAt),
    counter("weft_records_from_spares_total", "Records that took a spare", counts.fromSpares),
    counter("weft_record_bursts_total", "Flushes that found too few spares", counts.bursts),
    counter(
      "weft_record_burst_records_total",
      "Records that such flushes published in batches",
      counts.burstRecords,
    ),
    counter("weft_record_slots_grown_total", "Spares added in the background", counts.grown),
    counter("weft_record_slots_shrunk_total", "Spares freed in the background", counts.shrunk),
    counter(
      "weft_record_slots_repaired_total",
      "Slots put right that somebody else had changed",
      counts.repaired,
    ),
    gauge("weft_record_background_failing", "1: growing, shrinking or freeing failed last", error ? 1 : 0),
  ];
}
