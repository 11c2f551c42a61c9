/** A flush that fails, for any reason and at any write: the kernel is what it was, everybody is told, and it heals by itself. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type Controller, type Datapath, readBack } from "../../src/dataplane/mod.ts";
import { editSnapshot, emptySnapshot, type Snapshot } from "../../src/mesh/mod.ts";
import { type Clock, createClock } from "./_clock.ts";
import { controllerOf, createDatapathHost, type DatapathHost } from "./_datapath_host.ts";
import { servedBy } from "./_kernel_state.ts";
import { randomFrom } from "./_random.ts";
import { randomEdits, randomFinalMesh } from "./_random_mesh.ts";

/** What the kernel refuses with, and what is said of it. */
const refusals = [
  { errno: 12, said: /no memory/ },
  { errno: 1, said: /EPERM|not permitted|privilege/i },
  { errno: 7, said: /E2BIG|full|too (big|large)|beyond/i },
  { errno: 28, said: /ENOSPC|no (space|room)/i },
];

/** Everything that a connection can come to, map by map, whatever was left over elsewhere. */
function dump(datapath: Datapath): unknown {
  const maps = datapath.maps!;
  const found = readBack(maps);
  const frontends = new Map(
    maps.frontends.entries().map(([key, value]) => [`${key.address}|${key.port}|${key.protocol}`, value]),
  );
  for (const way of maps.frontendLines.ways) {
    if (way === undefined) continue;
    const { address, port, protocol } = way.key;
    assert.deepEqual(
      way.frontend,
      frontends.get(`${address}|${port}|${protocol}`),
      "a line says something else",
    );
  }
  const lines = new Set(
    [...maps.frontendLines.map.entries()].flatMap(([, { first, second }]) => [first, second])
      .filter(({ key }) => key.port !== 0).map(({ key }) => `${key.address}|${key.port}|${key.protocol}`),
  );
  const known = maps.frontendLines.ways.filter((way) => way !== undefined).length;
  assert.equal(lines.size, known, "the lines are not what is known of them");
  return {
    frontends: new Map([...frontends].sort()),
    ranges: new Map([...found.ranges].sort()),
    servicePorts: new Map(
      [...found.servicePorts].sort(([a], [b]) => a - b).map((
        [id, { mapped, tier }],
      ) => [id, { mapped, tier }]),
    ),
    usable: [...found.endpoints.values()].filter(({ usable }) => usable).map(({ index }) => index).sort(),
    problems: found.problems,
  };
}

interface Agent {
  readonly host: DatapathHost;
  readonly datapath: Datapath;
  readonly controller: Controller;
  readonly clock: Clock;
  readonly errors: readonly string[];
}

async function startAgent(snapshot: Snapshot): Promise<Agent> {
  const host = createDatapathHost();
  const datapath = host.open();
  const clock = createClock();
  const { controller, errors } = controllerOf(datapath, { later: clock.later });
  controller.submit(snapshot);
  await controller.idle();
  await datapath.settle();
  await datapath.attach();
  return { host, datapath, controller, clock, errors };
}

async function stop({ controller, datapath, host }: Agent): Promise<void> {
  // What failed in the background was looked at by who made it fail.
  await controller.stop().catch(() => {});
  datapath.close();
  host[Symbol.dispose]();
}

/** Two snapshots that differ in many ways. */
function snapshots(seed: number): [before: Snapshot, after: Snapshot] {
  const random = randomFrom(seed);
  const apply = (snapshot: Snapshot) =>
    randomEdits(random, randomFinalMesh(random)).reduce((last, edit) => editSnapshot(last, edit), snapshot);
  const before = apply(emptySnapshot());
  return [before, apply(before)];
}

describe("a flush that fails at one write", () => {
  for (const { errno, said } of refusals) {
    it(`with errno ${errno} leaves the kernel as it was, says so, and is done when the cause is gone`, async () => {
      let refused = 0;
      for (let seed = 1; seed <= 3; seed++) {
        const [before, after] = snapshots(seed * 100 + errno);
        const fresh = await startAgent(after);
        const wanted = servedBy(fresh.datapath);
        await stop(fresh);
        for (let at = 0, reached = true; reached; at++) {
          const agent = await startAgent(before);
          const { host: { kernel }, controller, datapath, clock, errors } = agent;
          const was = dump(datapath);
          let writes = 0;
          kernel.errno = errno;
          kernel.failAt = (map) => map.name !== "refusals" && map.name !== "endpoint_hits" && writes++ === at;
          controller.submit(after);
          await controller.idle();
          const inBackground = await datapath.settle().then(() => undefined, (error: Error) => error.message);
          reached = writes > at;
          // A write for spares, or one that frees, is not the flush's.
          if (reached && controller.state.error === undefined) assert.match(inBackground ?? "", said);
          if (controller.state.error !== undefined) {
            refused++;
            assert.match(
              controller.state.error,
              /^flush of \S+.* failed, the kernel serves what it served before: /,
            );
            assert.match(controller.state.error, said);
            assert.deepEqual(errors, [controller.state.error]);
            assert.equal(controller.state.applied, before);
            assert.deepEqual(dump(datapath), was, `seed ${seed}, write ${at}`);
            clock.pass(1000);
            await controller.idle();
          }
          await datapath.settle().catch(() => {});
          assert.equal(controller.state.error, undefined);
          assert.equal(controller.state.applied, after);
          assert.deepEqual(servedBy(datapath), wanted, `seed ${seed}, write ${at}`);
          dump(datapath);
          await stop(agent);
        }
      }
      assert.ok(refused > 50, `only ${refused} writes were refused`);
    });
  }
});
