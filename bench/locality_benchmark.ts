/** What it takes to follow the mesh, and to choose by nearness and weight. */

import { openShim } from "../ffi/mod.ts";
import { cgroup2Mount, removeLeftoverCgroups } from "../src/host/mod.ts";
import { removeLeftoverPins } from "./agent.ts";
import type { Benchmark } from "./figure.ts";
import { endpointFigures } from "./locality_endpoints.ts";
import { placeFigures } from "./locality_place.ts";
import { choiceFigures } from "./locality_choice.ts";

export const localityBenchmark: Benchmark = {
  name: "locality",
  title: "one endpoint of a service of 10 to 100,000; the node's place; 12 tiers; a million weighted choices",
  run: async (options) => {
    using shim = openShim();
    await removeLeftoverCgroups(cgroup2Mount(), "weft-bench");
    removeLeftoverPins(shim);
    return [
      ...await endpointFigures(shim, options),
      ...await placeFigures(shim, options),
      ...await choiceFigures(shim, options),
    ];
  },
};
