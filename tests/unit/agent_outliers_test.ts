import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { workload as kernel } from "../../ffi/mod.ts";
import { type Outliers, watchOutliers } from "../../src/agent/outliers.ts";
import { asideKey, type Controller, createController, type Datapath } from "../../src/dataplane/mod.ts";
import { placeOn } from "../../src/locality/mod.ts";
import { emptySnapshot, replaceMesh, type Service, type Snapshot } from "../../src/mesh/mod.ts";
import { defaultOutlierSettings } from "../../src/outlier_detection/mod.ts";
import { createDatapathHost, type DatapathHost, placesOf, vipOf } from "./_datapath_host.ts";
import { placeOf } from "./_kernel_reader.ts";
import { service, workload } from "./_mesh.ts";

const web = "shop/web";
const webPort = `${web}|80|4`;
const place = { ...placeOn(""), locality: { region: "r", zone: "near", subzone: "" } };

/** Members by their zone; each has an address of its own. */
function mesh(zones: Readonly<Record<string, string>>, change: Partial<Service> = {}): Snapshot {
  const loadBalancer = {
    mode: "Failover",
    routingPreferences: ["Region", "Zone"],
    healthPolicy: "OnlyHealthy",
  } as const;
  return replaceMesh(emptySnapshot(), {
    services: [service(web, [vipOf(1)], { loadBalancer, ...change })],
    workloads: Object.entries(zones).map(([uid, zone]) =>
      workload(uid, [web], { addresses: [addressOf(uid)], locality: { region: "r", zone, subzone: "" } })
    ),
    policies: [],
  });
}

const addressOf = (uid: string) => `10.0.0.${uid.charCodeAt(0)}`;
const keyOf = (uid: string) => `${uid}|${addressOf(uid)}|8080`;

describe("an agent that hears of failed connects", () => {
  let host: DatapathHost;
  let datapath: Datapath;
  let controller: Controller;
  let outliers: Outliers;
  let newest: Snapshot;
  let told: kernel.FailureEvent[];
  let now: number;
  let log: string[];

  beforeEach(async () => {
    host = createDatapathHost();
    datapath = host.open();
    controller = createController({
      datapath,
      node: () => place,
      onFlush: () => {},
      onError: (message) => {
        throw new Error(message);
      },
    });
    newest = mesh({ a: "near", b: "near", c: "far", d: "far" });
    controller.submit(newest);
    await controller.idle();
    told = [];
    now = 0;
    log = [];
    const say = (message: string) => void log.push(message);
    outliers = watchOutliers({
      failures: { read: () => ({ records: told.splice(0), lost: 0 }), [Symbol.dispose]: () => {} },
      datapath,
      controller,
      newest: () => newest,
      place: () => place,
      settings: defaultOutlierSettings,
      log: { debug: say, info: say, warn: say, error: say },
      now: () => now,
    });
  });
  afterEach(async () => {
    await controller.stop();
    datapath.close();
    host[Symbol.dispose]();
  });

  /** What the kernel tells of endpoints that it has. */
  function fail(...uids: string[]): void {
    const { tiers } = datapath.applied.services.get(web)!.servicePorts.get(webPort)!;
    const rows = [...tiers.values()].flatMap(({ rows }) => rows);
    for (const uid of uids) {
      const { index, generation } = rows.find((row) => row.uid === uid)!;
      told.push({ endpoint: index, generation, inARow: 5, failure: kernel.failure.FAILURE_TIMED_OUT });
    }
  }

  async function tick(): Promise<void> {
    outliers.tick();
    await controller.idle();
  }

  function submit(snapshot: Snapshot): void {
    newest = snapshot;
    outliers.submit(snapshot);
  }

  /** Whom connections reach. */
  function chosen(): string[] {
    const places = placesOf(host.kernel, datapath, 1);
    return ["a", "b", "c", "d"].filter((uid) => places.has(placeOf(addressOf(uid), 8080)));
  }

  it("takes it out of the kernel, and puts it in again when its time is over", async () => {
    assert.deepEqual(chosen(), ["a", "b"]);
    fail("a");
    await tick();
    assert.deepEqual(chosen(), ["b"]);
    assert.equal(outliers.find(webPort, keyOf("a"))?.outlier.aside?.why.how, "timed out");
    fail("b");
    await tick();
    assert.deepEqual(chosen(), ["c", "d"]);
    now += 30_000;
    await tick();
    assert.deepEqual(chosen(), ["a", "b"]);
    assert.deepEqual(outliers.counts, { setAside: 2, letIn: 2, shareReached: 0 });
    assert.deepEqual(log.map((line) => line.replace(/:.*/, "")), [
      ...["set aside", "set aside"],
      ...["an endpoint that was set aside is in use again", "an endpoint that was set aside is in use again"],
    ]);
  });

  it("tells where no more may be", async () => {
    fail("a", "b");
    await tick();
    fail("c", "d");
    await tick();
    assert.deepEqual(chosen(), ["d"]);
    fail("d");
    await tick();
    assert.deepEqual(chosen(), ["d"]);
    assert.equal(outliers.counts.shareReached, 2);
  });

  it("knows what it had counted before it was taken out", async () => {
    const count = (uid: string) => outliers.earlier(web, asideKey(webPort, keyOf(uid)));
    const { index } = datapath.applied.services.get(web)!.servicePorts.get(webPort)!.tiers.values().next()
      .value!.rows.find(
        ({ uid }) => uid === "a",
      )!;
    datapath.maps!.endpointHits.update(index, 12n);
    fail("a");
    await tick();
    assert.deepEqual([count("a"), count("b"), outliers.earlier(web)], [12, 0, 12]);
    submit(mesh({ b: "near", c: "far" }));
    assert.equal(count("a"), 0);
  });

  it("does nothing for an endpoint that has gone, or never was", async () => {
    fail("a");
    submit(mesh({ b: "near", c: "far" }));
    await controller.idle();
    told.push({ endpoint: 4711, generation: 1, inARow: 5, failure: 0 });
    await tick();
    assert.deepEqual([chosen(), outliers.aside.size], [["b"], 0]);
  });

  it("does nothing where the service does not want it, and lets in who was out", async () => {
    fail("a");
    await tick();
    submit(mesh({ a: "near", b: "near", c: "far", d: "far" }, { outlierDetection: false }));
    await controller.idle();
    assert.deepEqual(chosen(), ["a", "b"]);
    fail("a");
    await tick();
    assert.deepEqual(chosen(), ["a", "b"]);
  });

  it("lets in with the snapshot itself where another tier becomes the last", async () => {
    fail("a", "b");
    await tick();
    const { flushes } = controller.state;
    submit(mesh({ a: "near", b: "near" }));
    await controller.idle();
    assert.equal(controller.state.flushes, flushes + 1);
    assert.equal(chosen().length, 1);
    assert.equal(outliers.counts.letIn, 1);
  });

  it("goes by the newest snapshot, also before it is in the kernel", async () => {
    // Handed in by who knew nothing of the outliers yet.
    newest = mesh({ a: "near", b: "near" });
    controller.submit(newest);
    fail("a", "b");
    outliers.tick();
    await controller.idle();
    assert.deepEqual(chosen(), ["b"]);
  });

  it("what was told before it listened is past", async () => {
    fail("a");
    const say = () => {};
    const later = watchOutliers({
      failures: { read: () => ({ records: told.splice(0), lost: 0 }), [Symbol.dispose]: say },
      ...{ datapath, controller, newest: () => newest, place: () => place },
      settings: defaultOutlierSettings,
      log: { debug: say, info: say, warn: say, error: say },
    });
    later.tick();
    await controller.idle();
    assert.deepEqual([chosen(), later.aside.size], [["a", "b"], 0]);
  });
});
