import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { workload } from "../../ffi/mod.ts";
import { frontendWord } from "../../src/dataplane/frontend_tag.ts";
import { type Datapath, nearestTier } from "../../src/dataplane/mod.ts";
import { pinMeshMaps } from "../../src/dataplane/maps.ts";
import {
  assertServes,
  createDatapathHost,
  type DatapathHost,
  placesOf,
  serviceOf,
  wantedPlaces,
} from "./_datapath_host.ts";
import type { FakeKernel } from "./_fake_kernel.ts";
import { foreignMap, idIn, tamper } from "./_pool_world.ts";

/** Services 1 to 4 are there; more than there are spares come with the flush that puts things right, before the others. */
const old = [1, 2, 3, 4].map((n) => serviceOf(n, 3));
const newcomers = Array.from({ length: 12 }, (_, i) => i + 5);
const all = [...newcomers.map((n) => serviceOf(n, 3)), ...old];

/** The service port of a service. */
function portOf({ applied }: Datapath, n: number) {
  return [...applied.services.get(`shop/s${n}`)!.servicePorts.values()][0];
}

interface Damage {
  readonly name: string;
  readonly does: (kernel: FakeKernel, datapath: Datapath) => void;
  /** Services that are broken. */
  readonly victims: readonly number[];
  readonly problems: readonly RegExp[];
}

const slotOf = (datapath: Datapath, n: number) => nearestTier(portOf(datapath, n))!.slot;

/** Changes the word of a service. */
function setWord(datapath: Datapath, n: number, word: { slot?: number; count?: number }): void {
  const { services } = datapath.maps!;
  const { id } = portOf(datapath, n);
  const before = services.lookup(id)!;
  services.update(id, { ...before, tier: { ...before.tier, ...word } });
}

/** Fills the inner map in a slot with entries that name endpoints which never were. */
function fillWithNobody(kernel: FakeKernel, slot: number): void {
  const { values } = kernel.maps.get(idIn(kernel, slot)!)!;
  for (const key of values.keys()) values.set(key, new Uint8Array(Uint32Array.of(0, 999).buffer));
}

const damages: readonly Damage[] = [
  { name: "nothing", does: () => {}, victims: [], problems: [] },
  {
    name: "a line that leads to another service",
    does: (_, { maps }) => {
      const { map, ways } = maps!.frontendLines;
      const taken = ways.filter((way) => way !== undefined);
      const elsewhere = taken[0].frontend.servicePort;
      const astray = ({ key, frontend }: workload.FrontendLine["first"]) => ({
        key,
        frontend: frontend.servicePort === 0 ? frontend : frontendWord(key, elsewhere),
      });
      map.updateMany(
        [...map.entries()].map(([line, { first, second }]) =>
          [line, { first: astray(first), second: astray(second) }] as const
        ),
      );
    },
    victims: [1, 2, 3, 4],
    problems: [],
  },
  {
    name: "a record that was taken out",
    does: (kernel, datapath) => tamper(kernel, slotOf(datapath, 2)),
    victims: [2],
    problems: [/^service port \d+ in map services names record \d+ with 3 entries, which is not there$/],
  },
  {
    name: "a record that gave way to the placeholder",
    does: (kernel, datapath) => tamper(kernel, slotOf(datapath, 2), idIn(kernel, 0)),
    victims: [2],
    problems: [/names record \d+ with 3 entries, which is not there$/],
  },
  {
    name: "a record that gave way to a shorter one",
    does: (kernel, datapath) => tamper(kernel, slotOf(datapath, 3), foreignMap(kernel, 2)),
    victims: [3],
    problems: [/names record \d+ with 3 entries, which has room for only 2$/],
  },
  {
    name: "a word that names more than its record has",
    does: (_, datapath) => setWord(datapath, 1, { count: 100 }),
    victims: [1],
    problems: [/names record \d+ with 100 entries, which has room for only 3$/],
  },
  {
    name: "a word that names a slot beyond the map",
    does: (_, datapath) => setWord(datapath, 1, { slot: 1_000_000 }),
    victims: [1],
    problems: [/names record 1000000 with 3 entries, which is not there$/],
  },
  {
    name: "a record of endpoints that never were",
    does: (kernel, datapath) => fillWithNobody(kernel, slotOf(datapath, 4)),
    victims: [4],
    problems: [/names endpoint 999, which was never written$/],
  },
  {
    name: "a record of zeros",
    does: (kernel, datapath) => tamper(kernel, slotOf(datapath, 4), foreignMap(kernel, 3)),
    victims: [4],
    problems: [/names endpoint 0, which was never written$/],
  },
  {
    name: "a record that two services' words name",
    does: (_, datapath) => setWord(datapath, 3, { slot: slotOf(datapath, 1) }),
    victims: [3],
    problems: [/names record \d+, which is another service port's$/],
  },
  {
    name: "an inner map in two services' slots",
    does: (kernel, datapath) => tamper(kernel, slotOf(datapath, 3), idIn(kernel, slotOf(datapath, 1))),
    victims: [3],
    problems: [/names record \d+ with 3 entries, which is not there$/, /with 3 entries, which is not there$/],
  },
  {
    name: "a lost placeholder",
    does: (kernel) => tamper(kernel, 0),
    victims: [],
    problems: [/^slot 0 of map records has lost its placeholder$/],
  },
  {
    name: "several at once",
    does: (kernel, datapath) => {
      tamper(kernel, slotOf(datapath, 1));
      tamper(kernel, slotOf(datapath, 2), foreignMap(kernel, 1));
      setWord(datapath, 4, { count: 9 });
    },
    victims: [1, 2, 4],
    problems: [/is not there$/, /only 1$/, /only 3$/],
  },
];

/** Asserts after each write that nobody reaches another service's endpoints, and only the damaged fail. */
function watch({ kernel }: DatapathHost, datapath: Datapath, victims: readonly number[]): () => void {
  const before = new Map(victims.map((n) => [n, reach(n)]));
  let violation: unknown;
  function reach(n: number): Set<string> | undefined {
    try {
      return placesOf(kernel, datapath, n);
    } catch {
      return undefined;
    }
  }
  kernel.onWrite = () => {
    if (violation) return;
    try {
      for (const change of old) {
        const n = Number(change[0].slice("shop/s".length));
        const found = reach(n);
        const wanted = wantedPlaces(change);
        if (!victims.includes(n)) assert.deepEqual(found, wanted, `service ${n}`);
        else if (found) {
          const known = [...wanted, ...before.get(n) ?? []];
          for (const place of found) {
            assert.ok(known.includes(place), `service ${n} reaches another's endpoint`);
          }
        }
      }
    } catch (error) {
      violation = error;
    }
  };
  return () => {
    kernel.onWrite = undefined;
    if (violation) throw violation;
  };
}

describe("what is read back", () => {
  for (const way of ["a new agent", "the agent itself"] as const) {
    for (const { name, does, victims, problems } of damages) {
      it(`with ${name} is put right by ${way}`, async () => {
        using host = createDatapathHost();
        const { kernel } = host;
        const first = host.open();
        await first.flush(old);
        await first.settle();
        pinMeshMaps(kernel.shim, first.maps!, host.paths.maps);
        does(kernel, first);
        const datapath = way === "a new agent" ? host.open() : first;
        if (way === "the agent itself") await datapath.reread();

        const done = watch(host, datapath, victims);
        const { repaired } = await datapath.flush(all);
        await datapath.settle();
        done();
        assert.equal(repaired.length, problems.length, repaired.join("\n"));
        repaired.forEach((repair, i) => assert.match(repair, problems[i]));
        assertServes(kernel, datapath, all);

        // And so it stays, whatever comes.
        await datapath.audit();
        assert.deepEqual(await datapath.audit(), { repairs: [], lost: [] });
        for (const count of [7, 1, 4]) {
          const next = [1, 2, 3, 4, ...newcomers].map((n) => serviceOf(n, count));
          await datapath.flush(next);
          await datapath.settle();
          assertServes(kernel, datapath, next);
        }
        const { pool, maps } = datapath;
        const placeholder = idIn(kernel, 0);
        assert.ok(placeholder);
        const held = maps!.records.entries().filter(([, id]) => id !== placeholder);
        assert.deepEqual([pool.used, pool.allocated], [16, held.length]);
        assert.deepEqual(await datapath.audit(), { repairs: [], lost: [] });
      });
    }
  }
});
