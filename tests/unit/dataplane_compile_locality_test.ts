/** What the compiler makes of ranks: tiers, what is kept out, and which tiers are there though nobody of them may be chosen. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { compileService, type DesiredService } from "../../src/dataplane/mod.ts";
import { type Place, placeOn } from "../../src/locality/mod.ts";
import {
  editSnapshot,
  emptySnapshot,
  type LoadBalancer,
  type PortMap,
  type Workload,
} from "../../src/mesh/mod.ts";
import { service, workload, type WorkloadChange } from "./_mesh.ts";

const web = "shop/web";
const here: Place = { ...placeOn(""), locality: { region: "r", zone: "z", subzone: "" } };

function member(
  uid: string,
  zone: string,
  change: WorkloadChange = {},
  ports: PortMap = new Map(),
): Workload {
  return workload(uid, [], {
    services: new Map([[web, ports]]),
    locality: { region: "r", zone, subzone: "" },
    ...change,
  });
}

function compile(workloads: Workload[], change: Partial<LoadBalancer> = {}, place = here): DesiredService {
  const loadBalancer: LoadBalancer = {
    mode: "Failover",
    routingPreferences: ["Region", "Zone"],
    healthPolicy: "OnlyHealthy",
    ...change,
  };
  const snapshot = editSnapshot(emptySnapshot(), {
    upsertWorkloads: workloads,
    upsertServices: [service(web, ["10.96.0.1"], { loadBalancer })],
  });
  return compileService(snapshot, web, place);
}

/** Per tier `uid×weight`. */
const tiers = ({ servicePorts: [port] }: DesiredService) =>
  port.tiers.map(({ endpoints }) => endpoints.map(({ uid, weight }) => `${uid}×${weight}`).sort());
const excluded = (desired: DesiredService) =>
  desired.excluded.map(({ uid, reason }) => `${uid}: ${reason}`).sort();

const toNothing: PortMap = new Map([[80, 0]]);

describe("compileService: tiers", () => {
  const cases: {
    why: string;
    workloads: Workload[];
    change?: Partial<LoadBalancer>;
    place?: Place;
    expected: string[][];
    excluded?: string[];
    mapped?: boolean;
  }[] = [
    {
      why: "nearest first",
      workloads: [
        member("far", "", { locality: { region: "q", zone: "z", subzone: "" } }),
        member("a", "z"),
        member("b", "y"),
      ],
      expected: [["a×1"], ["b×1"], ["far×1"]],
    },
    {
      why: "dense where health empties one",
      workloads: [member("a", "z", { status: "Unhealthy" }), member("b", "y")],
      expected: [["b×1"]],
      excluded: ["a: unhealthy"],
    },
    {
      why: "AllowAll: an unhealthy endpoint near by is nearer than a healthy one",
      workloads: [member("a", "z", { status: "Unhealthy" }), member("b", "y")],
      change: { healthPolicy: "AllowAll" },
      expected: [["a×1"], ["b×1"]],
    },
    {
      why: "capacity 0 is present",
      workloads: [member("a", "z", { capacity: 0 }), member("b", "y")],
      expected: [["a×0"], ["b×1"]],
    },
    {
      why: "an own mapping to 0 has its rank, and keeps farther tiers back",
      workloads: [member("a", "z", {}, toNothing), member("b", "y")],
      expected: [[], ["b×1"]],
      excluded: ["a: target port 0"],
    },
    {
      why: "an own mapping to 0 takes no share of its tier",
      workloads: [member("a", "z", {}, toNothing), member("b", "z", { capacity: 3 })],
      expected: [["b×3"]],
      excluded: ["a: target port 0"],
    },
    {
      why: "an own mapping to 0 that is far, unhealthy or on another network is not there",
      workloads: [
        member("a", "z", { status: "Unhealthy" }, toNothing),
        member("b", "z", { network: "other" }, toNothing),
        member("c", "z", { addresses: [] }, toNothing),
        member("d", "y"),
      ],
      expected: [["d×1"]],
      excluded: ["a: unhealthy", "b: other network", "c: no address of this family"],
    },
    {
      why: "Standard: an own mapping to 0 is no tier",
      workloads: [member("a", "z", {}, toNothing)],
      change: { mode: "Standard" },
      expected: [],
      excluded: ["a: target port 0"],
      mapped: false,
    },
    {
      why: "Strict: full matches alone; what is not local still maps the port",
      workloads: [member("b", "y")],
      change: { mode: "Strict" },
      expected: [],
      excluded: ["b: not local"],
    },
    {
      why: "Strict: capacity 0 near by is a tier that refuses",
      workloads: [member("a", "z", { capacity: 0 }), member("b", "y")],
      change: { mode: "Strict" },
      expected: [["a×0"]],
      excluded: ["b: not local"],
    },
    {
      why: "Strict without preferences keeps all",
      workloads: [member("a", "z"), member("b", "y")],
      change: { mode: "Strict", routingPreferences: [] },
      expected: [["a×1", "b×1"]],
    },
    {
      why:
        "an endpoint of another network is left out before ranks, also where the network is asked for first",
      workloads: [member("a", "z", { network: "other" }), member("b", "y")],
      change: { routingPreferences: ["Network", "Region", "Zone"] },
      expected: [["b×1"]],
      excluded: ["a: other network"],
    },
    {
      why: "a node of which nothing is known is near those of which nothing is",
      workloads: [member("a", "z"), member("b", "", { locality: { region: "", zone: "", subzone: "" } })],
      place: placeOn(""),
      expected: [["b×1"], ["a×1"]],
    },
  ];
  for (const { why, workloads, change, place, expected, excluded: kept = [], mapped = true } of cases) {
    it(why, () => {
      const desired = compile(workloads, change, place);
      assert.deepEqual([tiers(desired), excluded(desired)], [expected, kept]);
      assert.equal(desired.servicePorts[0].mapped > 0, mapped);
    });
  }
});
