/** The record pool: publishing, flushes beside a scale-out, kernel memory, and connections while records move. */

import { openShim } from "../ffi/mod.ts";
import { cgroup2Mount, removeLeftoverCgroups } from "../src/host/mod.ts";
import { removeLeftoverPins } from "./agent.ts";
import type { Benchmark } from "./figure.ts";
import { churnFigures } from "./records_churn.ts";
import { flushFigures } from "./records_flush.ts";
import { memoryFigures } from "./records_memory.ts";
import { publishFigures } from "./records_publish.ts";

export const recordsBenchmark: Benchmark = {
  name: "records",
  title: "the record pool: publishing, flushes beside a scale-out, memory, connections while records move",
  run: async (options) => {
    using shim = openShim();
    await removeLeftoverCgroups(cgroup2Mount(), "weft-bench");
    removeLeftoverPins(shim);
    return [
      ...await publishFigures(shim, options),
      ...await flushFigures(shim, options),
      ...await memoryFigures(shim, options),
      ...await churnFigures(shim, options),
    ];
  },
};
