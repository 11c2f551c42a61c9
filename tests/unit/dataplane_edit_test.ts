/** What it costs when one member of a service changes: the same in a service of ten and of ten thousand. */

import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  type Aside,
  asideKey,
  compileEdit,
  type CompileInput,
  compileService,
  type Datapath,
  endpointKey,
} from "../../src/dataplane/mod.ts";
import { placeOn } from "../../src/locality/mod.ts";
import {
  editSnapshot,
  emptySnapshot,
  type LoadBalancer,
  type MeshEdit,
  type Workload,
} from "../../src/mesh/mod.ts";
import { createDatapathHost, type DatapathHost } from "./_datapath_host.ts";
import { servedBy } from "./_kernel_state.ts";
import { service, workload, type WorkloadChange } from "./_mesh.ts";
import { randomFrom } from "./_random.ts";

const key = "shop/web";
const near = { region: "r", zone: "near", subzone: "" };
const far = { region: "r", zone: "far", subzone: "" };
const place = { ...placeOn(""), locality: near };
const loadBalancer: LoadBalancer = {
  mode: "Failover",
  routingPreferences: ["Zone"],
  healthPolicy: "OnlyHealthy",
};

/** Even numbers are near, odd ones far. */
function member(n: number, change: WorkloadChange = {}): Workload {
  const addresses = [`10.${n >> 16}.${n >> 8 & 0xff}.${n & 0xff}`];
  return workload(`w${n}`, [key], { addresses, locality: n % 2 ? far : near, ...change });
}

function inputOf(members: readonly Workload[]): CompileInput {
  const snapshot = editSnapshot(emptySnapshot(), {
    upsertServices: [service(key, ["10.96.0.1"], { loadBalancer })],
    upsertWorkloads: members,
  });
  return { snapshot, place, aside: new Map() };
}

function edited(input: CompileInput, edit: MeshEdit): CompileInput {
  return { ...input, snapshot: editSnapshot(input.snapshot, edit) };
}

function setAside(...members: readonly Workload[]): Aside {
  const endpoints = members.map(({ uid, addresses }) =>
    [asideKey(`${key}|80|4`, `${uid}|${addresses[0]}|8080`), uid] as const
  );
  return new Map([[key, new Map(endpoints)]]);
}

const membersOf = (size: number) => Array.from({ length: size }, (_, i) => member(i));
const many = membersOf(40);

/** For all members of the largest service. */
const room = { sizes: { endpoints: 16_384 } };

describe("a change of one member", () => {
  let host: DatapathHost;
  let datapath: Datapath;

  const begin = () => {
    host = createDatapathHost();
    datapath = host.open(room);
  };
  const end = async () => {
    await datapath.settle();
    datapath.close();
    host[Symbol.dispose]();
  };
  beforeEach(begin);
  afterEach(end);

  async function start(members: readonly Workload[]): Promise<CompileInput> {
    const input = inputOf(members);
    await datapath.flush([[key, compileService(input.snapshot, key, place)]]);
    await datapath.settle();
    return input;
  }

  /** Flushes what differs. @returns whether the whole service had to be compiled, and how many map entries were written */
  async function apply(
    before: CompileInput,
    after: CompileInput,
  ): Promise<{ whole: boolean; writes: number }> {
    const edit = compileEdit(before, after, key)!;
    let whole = false;
    let writes = 0;
    host.kernel.failAt = () => {
      writes++;
      return false;
    };
    await datapath.flush([[key, {
      ...edit,
      whole: () => {
        whole = true;
        return edit.whole();
      },
    }]]);
    host.kernel.failAt = undefined;
    return { whole, writes };
  }

  /** What a fresh agent would have put into the kernel. */
  async function servedAnew({ snapshot, aside }: CompileInput): Promise<unknown> {
    using fresh = createDatapathHost();
    const other = fresh.open(room);
    await other.flush([[key, compileService(snapshot, key, place, { aside: aside.get(key) })]]);
    await other.settle();
    const served = servedBy(other);
    other.close();
    return served;
  }

  interface Case {
    what: string;
    edit?: MeshEdit;
    aside?: Aside;
    whole?: boolean;
  }
  const casesOf = (many: readonly Workload[]): Case[] => [
    { what: "one more near by", edit: { upsertWorkloads: [member(1000)] } },
    { what: "one more far away", edit: { upsertWorkloads: [member(1001)] } },
    { what: "one near by goes", edit: { removeWorkloads: ["w4"] } },
    { what: "the last one goes", edit: { removeWorkloads: [many.at(-2)!.uid] } },
    { what: "one far away goes", edit: { removeWorkloads: ["w5"] } },
    { what: "one comes near", edit: { upsertWorkloads: [member(5, { locality: near })] } },
    { what: "one goes far away", edit: { upsertWorkloads: [member(4, { locality: far })] } },
    { what: "one becomes unhealthy", edit: { upsertWorkloads: [member(4, { status: "Unhealthy" })] } },
    { what: "one is not to be chosen any more", edit: { upsertWorkloads: [member(4, { capacity: 0 })] } },
    { what: "one has another address", edit: { upsertWorkloads: [member(4, { addresses: ["10.9.9.9"] })] } },
    {
      what: "one maps the port elsewhere",
      edit: { upsertWorkloads: [member(4, { services: new Map([[key, new Map([[80, 9090]])]]) })] },
    },
    { what: "one is set aside", aside: setAside(many[4]) },
    { what: "one far away is set aside", aside: setAside(many[5]) },
    {
      what: "some come and some go",
      edit: { removeWorkloads: ["w0", "w38", "w8"], upsertWorkloads: [member(1000), member(1002)] },
    },
    { what: "one weighs more", edit: { upsertWorkloads: [member(4, { capacity: 3 })] }, whole: true },
    {
      what: "all near by go",
      edit: { removeWorkloads: many.filter((_, i) => i % 2 === 0).map(({ uid }) => uid) },
    },
    {
      what: "all near by are set aside",
      aside: setAside(...many.filter((_, i) => i % 2 === 0)),
    },
    {
      what: "one comes that is nearer than all",
      edit: { upsertWorkloads: [member(1000)] },
    },
  ];
  // Tiers of 150 have tables of positions, tiers of 20 are looked through.
  for (const size of [40, 300]) {
    const all = membersOf(size);
    for (const { what, edit = {}, aside = new Map(), whole = false } of casesOf(all)) {
      const nobodyNear = what === "one comes that is nearer than all";
      it(`of ${size}, ${what}: ${whole ? "the whole service" : "only what changes"} is planned`, async () => {
        const before = await start(nobodyNear ? all.filter((_, i) => i % 2) : all);
        const after = { ...edited(before, edit), aside };
        assert.equal((await apply(before, after)).whole, whole);
        await datapath.settle();
        assert.deepEqual(servedBy(datapath), await servedAnew(after));
        // And back: what is remembered of the tier is right.
        await apply(after, before);
        await datapath.settle();
        assert.deepEqual(servedBy(datapath), await servedAnew(before));
      });
    }
  }

  for (let seed = 0; seed < 4; seed++) {
    it(`seed ${seed}: of many in a row, the tiers larger and smaller than what is looked through`, async () => {
      const random = randomFrom(seed);
      let input = await start(membersOf(130));
      let largest = 0;
      let smallest = Infinity;
      for (let step = 0; step < 60; step++) {
        const growing = Math.floor(step / 15) % 2 === 0;
        const touched = Array.from(
          { length: 1 + Math.floor(random() * 4) },
          () => Math.floor(random() * 200),
        );
        const comes = touched.filter(() => random() < (growing ? 0.8 : 0.1));
        const next = edited(input, {
          removeWorkloads: touched.filter((n) => !comes.includes(n)).map((n) => `w${n}`),
          upsertWorkloads: comes.map((n) => member(n, { locality: random() < 0.7 ? near : far })),
        });
        await apply(input, next);
        await datapath.settle();
        input = next;
        const { tiers } = datapath.applied.services.get(key)!.servicePorts.get(`${key}|80|4`)!;
        for (const { rows, positions } of tiers.values()) {
          largest = Math.max(largest, rows.length);
          smallest = Math.min(smallest, rows.length);
          if (positions === undefined) continue;
          assert.deepEqual(positions, new Map(rows.map((row, position) => [endpointKey(row), position])));
        }
      }
      assert.deepEqual(servedBy(datapath), await servedAnew(input));
      assert.ok(largest > 64 && smallest < 64, `${smallest} to ${largest} in a tier`);
    });
  }

  it("costs the same number of writes in a service of 20 and of 10,000", async () => {
    const writes: number[][] = [];
    for (const size of [20, 10_000]) {
      await end();
      begin();
      // One less than the record's room, so that one more needs no other.
      const members = Array.from({ length: size - 1 }, (_, i) => member(2 * i));
      const before = await start(members);
      const more = edited(before, { upsertWorkloads: [member(2 * size)] });
      const less = edited(more, { removeWorkloads: ["w2"] });
      writes.push([(await apply(before, more)).writes, (await apply(more, less)).writes]);
    }
    assert.deepEqual(writes[0], writes[1]);
    assert.ok(Math.max(...writes[0]) <= 6, `${writes[0]} writes`);
  });

  it("costs the same number of writes where another tier of 20 or of 10,000 takes over", async () => {
    const writes: number[][] = [];
    for (const size of [20, 10_000]) {
      await end();
      begin();
      const farAway = Array.from({ length: size }, (_, i) => member(2 * i + 1));
      const before = await start([member(0), ...farAway]);
      const left = edited(before, { removeWorkloads: ["w0"] });
      const back = edited(left, { upsertWorkloads: [member(0)] });
      const moved = edited(back, { upsertWorkloads: [member(1, { locality: near })] });
      const counts: number[] = [];
      for (const [from, to] of [[before, left], [left, back], [back, moved]]) {
        const { whole, writes } = await apply(from, to);
        assert.ok(!whole);
        counts.push(writes);
        await datapath.settle();
        assert.deepEqual(servedBy(datapath), await servedAnew(to));
      }
      writes.push(counts);
    }
    assert.deepEqual(writes[0], writes[1]);
    assert.ok(Math.max(...writes[0]) <= 6, `${writes[0]} writes`);
  });

  it("leaves an endpoint its index when it comes nearer, goes farther, or its tier takes over", async () => {
    const indexes = () => {
      const { tiers } = datapath.applied.services.get(key)!.servicePorts.get(`${key}|80|4`)!;
      const rows = [...tiers.values()].flatMap(({ rows }) => rows);
      return new Map(rows.map(({ uid, index, generation }) => [uid, `${index} ${generation}`]));
    };
    let input = await start(many);
    const first = indexes();
    const edits: MeshEdit[] = [
      { upsertWorkloads: [member(5, { locality: near })] },
      { upsertWorkloads: [member(4, { locality: far })] },
      {
        upsertWorkloads: many.filter((_, i) => i % 2 === 0).map((one) => ({
          ...one,
          traits: { ...one.traits, locality: far },
        })),
      },
    ];
    for (const edit of edits) {
      const next = edited(input, edit);
      await apply(input, next);
      assert.deepEqual(indexes(), first);
      input = next;
    }
    const elsewhere = compileService(input.snapshot, key, { ...place, locality: far });
    await datapath.flush([[key, elsewhere]]);
    assert.deepEqual(indexes(), first);
  });

  it("leaves farther endpoints their indexes where the next agent takes over, which knows them by their places", async () => {
    const indexes = () => {
      const { tiers } = datapath.applied.services.get(key)!.servicePorts.get(`${key}|80|4`)!;
      const rows = [...tiers.values()].flatMap(({ rows }) => rows);
      return new Map(rows.map(({ uid, index, generation }) => [uid, `${index} ${generation}`]));
    };
    const { snapshot } = await start(many);
    await datapath.attach();
    const first = indexes();
    datapath.close();
    datapath = host.open(room);
    assert.ok(datapath.tookOver);
    await datapath.flush([[key, compileService(snapshot, key, place)]]);
    assert.deepEqual(indexes(), first);
  });
});
