import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  asideOf,
  changesBetween,
  lastTier,
  mostAside,
  type OutlierSettings,
  type OutlierState,
  step,
  type WholePort,
} from "../../src/outlier_detection/mod.ts";
import { endpointKey } from "../../src/dataplane/mod.ts";
import { randomFrom } from "./_random.ts";
import { keyOf, names, wholePort } from "./_whole_port.ts";

const settings: OutlierSettings = {
  consecutiveFailures: 5,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 50,
};
const why = { inARow: 5, how: "refused" } as const;
const nothing: OutlierState = new Map();

/** One machine with its time, in seconds. */
function machine(port: WholePort, change: Partial<OutlierSettings> = {}) {
  let state = nothing;
  let now = 1_000_000;
  const all = { ...settings, ...change };
  const become = (event: Parameters<typeof step>[1]) => state = step(state, event, now, all);
  const outlier = (endpoint: string) => state.get(port.key)?.endpoints.get(keyOf(endpoint));
  return {
    fail: (...endpoints: string[]) => {
      for (const name of endpoints) become({ kind: "failing", port, endpoint: keyOf(name), why });
    },
    wait: (seconds: number) => {
      now += seconds * 1000;
      become({ kind: "time" });
    },
    mesh: (...ports: WholePort[]) => become({ kind: "service", service: port.service, ports }),
    get state() {
      return state;
    },
    aside: () =>
      [...state.values()].flatMap(({ endpoints }) => [...endpoints.values()])
        .filter(({ aside }) => aside).map(({ endpoint }) => endpoint.uid).toSorted(),
    times: (endpoint: string) => outlier(endpoint)?.times ?? 0,
    /** Until then, in seconds. */
    left: (endpoint: string) => (outlier(endpoint)!.aside!.until - now) / 1000,
  };
}

describe("an endpoint that fails", () => {
  const port = wholePort([["a", "b"], ["c", "d"]]);

  it("is set aside for the base time", () => {
    const it = machine(port);
    it.fail("a");
    assert.deepEqual([it.aside(), it.left("a"), it.times("a")], [["a"], 30, 1]);
    it.wait(29.999);
    assert.deepEqual(it.aside(), ["a"]);
    it.wait(0.001);
    assert.deepEqual(it.aside(), []);
  });

  it("is set aside twice as long each time in a row, up to the longest", () => {
    const it = machine(port);
    const seconds: number[] = [];
    for (let i = 0; i < 7; i++) {
      it.fail("a");
      seconds.push(it.left("a"));
      it.wait(it.left("a"));
    }
    assert.deepEqual(seconds, [30, 60, 120, 240, 300, 300, 300]);
    assert.equal(it.times("a"), 5, "it counts no further than it matters");
  });

  it("the longest is never shorter than the first", () => {
    const it = machine(port, { maxEjectionMs: 1000 });
    for (let i = 0; i < 3; i++) {
      it.fail("a");
      assert.equal(it.left("a"), 30);
      it.wait(30);
    }
  });

  it("counts once less for each base time that it is in use, and is forgotten then", () => {
    const it = machine(port);
    for (let i = 0; i < 3; i++) {
      it.fail("a");
      it.wait(it.left("a"));
    }
    assert.equal(it.times("a"), 3);
    it.wait(29);
    assert.equal(it.times("a"), 3);
    it.wait(1);
    assert.equal(it.times("a"), 2);
    it.wait(30);
    assert.equal(it.times("a"), 1);
    it.fail("a");
    assert.equal(it.left("a"), 60, "the second time in a row");
    it.wait(60);
    it.wait(3600);
    assert.equal(it.state.size, 0);
    it.fail("a");
    assert.equal(it.left("a"), 30);
  });

  it("counts down in one long step as in many short ones", () => {
    const [once, often] = [machine(port), machine(port)];
    for (const it of [once, often]) {
      for (let i = 0; i < 5; i++) {
        it.fail("a");
        it.wait(it.left("a"));
      }
    }
    once.wait(70);
    for (let i = 0; i < 70; i++) often.wait(1);
    assert.deepEqual(once.state, often.state);
    assert.equal(once.times("a"), 3);
  });

  it("is not set aside longer for what fails while it is", () => {
    const it = machine(port);
    it.fail("a");
    it.wait(10);
    const before = it.state;
    it.fail("a");
    assert.equal(it.state, before);
  });

  it("is nothing to do with where it is unknown, of capacity 0, or behind the last tier", () => {
    const zero = wholePort([["a"], { weights: { z: 0 } }, ["c"]]);
    const it = machine(zero);
    it.fail("x", "z", "c");
    assert.equal(it.state, nothing);
  });
});

describe("how many are set aside", () => {
  const cases: {
    what: string;
    tiers: Parameters<typeof wholePort>[0];
    fail: string[];
    aside: string[];
    percent?: number;
  }[] = [
    {
      what: "8 of 10 of a nearer tier",
      tiers: [names("a", 10), names("b", 3)],
      fail: names("a", 8),
      aside: names("a", 8),
    },
    {
      what: "a nearer tier whole",
      tiers: [names("a", 10), names("b", 3)],
      fail: names("a", 10),
      aside: names("a", 10),
    },
    { what: "half of the only tier", tiers: [names("a", 10)], fail: names("a", 10), aside: names("a", 5) },
    {
      what: "two tiers whole, and half of the last",
      tiers: [names("a", 2), names("b", 3), names("c", 4)],
      fail: [...names("a", 2), ...names("b", 3), ...names("c", 4)],
      aside: [...names("a", 2), ...names("b", 3), ...names("c", 2)],
    },
    { what: "one of two", tiers: [["a", "b"]], fail: ["a", "b"], aside: ["a"] },
    { what: "never the only one", tiers: [["a"]], fail: ["a"], aside: [], percent: 100 },
    { what: "never all", tiers: [names("a", 4)], fail: names("a", 4), aside: names("a", 3), percent: 100 },
    {
      what: "nobody of the last tier at 0%",
      tiers: [["a"], ["b", "c"]],
      fail: ["a", "b"],
      aside: ["a"],
      percent: 0,
    },
    {
      what: "not a tier whole that would then refuse",
      tiers: [{ weights: { a: 1, b: 1, z: 0 } }, ["c"]],
      fail: ["a", "b"],
      aside: ["a"],
    },
    {
      what: "not a tier whole before one that refuses",
      tiers: [["a", "b"], { weights: { z: 0 } }, ["c"]],
      fail: ["a", "b"],
      aside: ["a"],
    },
  ];
  for (const { what, tiers, fail, aside, percent = 50 } of cases) {
    it(what, () => {
      const it = machine(wholePort(tiers), { maxEjectionPercent: percent });
      it.fail(...fail);
      assert.deepEqual(it.aside(), aside);
    });
  }

  it("another may be when one is let in", () => {
    const it = machine(wholePort([["a", "b"]]));
    it.fail("a", "b");
    it.wait(30);
    it.fail("b", "a");
    assert.deepEqual(it.aside(), ["b"]);
  });

  it("ports stand alone", () => {
    const [web, api] = [wholePort([["a", "b"]], "shop/web"), wholePort([["a", "b"]], "shop/api")];
    const one = step(nothing, { kind: "failing", port: web, endpoint: keyOf("a"), why }, 0, settings);
    const both = step(one, { kind: "failing", port: api, endpoint: keyOf("b"), why }, 0, settings);
    assert.deepEqual(
      asideOf(both),
      new Map([["shop/web", new Map([[`shop/web|80|4|${keyOf("a")}`, "a"]])], [
        "shop/api",
        new Map([[`shop/api|80|4|${keyOf("b")}`, "b"]]),
      ]]),
    );
  });
});

describe("a mesh that changes", () => {
  it("forgets endpoints that are gone", () => {
    const it = machine(wholePort([["a", "b"], ["c", "d"]]));
    it.fail("a", "c");
    it.mesh(wholePort([["b"], ["c", "d"]]));
    assert.deepEqual(it.aside(), ["c"]);
    assert.equal(it.times("a"), 0);
    it.mesh();
    assert.equal(it.state.size, 0);
  });

  it("forgets one that may not be chosen any more", () => {
    const it = machine(wholePort([["a", "b"], ["c"]]));
    it.fail("a");
    it.mesh(wholePort([{ weights: { a: 0, b: 1 } }, ["c"]]));
    assert.equal(it.state.size, 0);
  });

  it("leaves those aside that only moved, with their times", () => {
    const it = machine(wholePort([["a", "b"], ["c", "d"]]));
    it.fail("a");
    const before = it.state;
    it.mesh(wholePort([["c", "d"], ["b", "a"]]));
    assert.equal(it.state, before);
  });

  it("lets as many in as must be where another tier is the last one: whose time is over first", () => {
    const it = machine(wholePort([names("a", 4), ["b"]]));
    for (const name of ["a2", "a0", "a3", "a1"]) {
      it.fail(name);
      it.wait(1);
    }
    it.mesh(wholePort([names("a", 4)]));
    assert.deepEqual(it.aside(), ["a1", "a3"]);
    assert.equal(it.times("a2"), 1, "what was is not forgotten");
  });

  it("is nothing to do with other services", () => {
    const it = machine(wholePort([["a", "b"]]));
    it.fail("a");
    const before = it.state;
    const event = { kind: "service", service: "shop/other", ports: [] } as const;
    assert.equal(step(before, event, 0, settings), before);
  });
});

describe("what is told", () => {
  it("who was set aside and who was let in, not who is gone", () => {
    const port = wholePort([["a", "b", "c", "d"], ["e"]]);
    const fail = (state: OutlierState, endpoint: string) =>
      step(state, { kind: "failing", port, endpoint: keyOf(endpoint), why }, 0, settings);
    const first = fail(fail(nothing, "a"), "b");
    const told = (before: OutlierState, after: OutlierState) =>
      changesBetween(before, after).map(({ what, outlier, key }) => [what, outlier.endpoint.uid, key]);
    assert.deepEqual(told(nothing, first), [["set aside", "a", `shop/web|80|4|${keyOf("a")}`], [
      "set aside",
      "b",
      `shop/web|80|4|${keyOf("b")}`,
    ]]);
    assert.deepEqual(told(first, first), []);
    const second = fail(step(first, { kind: "time" }, 30_000, settings), "c");
    assert.deepEqual(told(first, second), [
      ["let in", "a", `shop/web|80|4|${keyOf("a")}`],
      ["let in", "b", `shop/web|80|4|${keyOf("b")}`],
      ["set aside", "c", `shop/web|80|4|${keyOf("c")}`],
    ]);
    const gone = step(second, { kind: "service", service: port.service, ports: [] }, 0, settings);
    assert.deepEqual(told(second, gone), []);
  });

  it("what did not change is the same object", () => {
    const [web, api] = [wholePort([["a", "b"]], "shop/web"), wholePort([["a", "b"]], "shop/api")];
    const one = step(nothing, { kind: "failing", port: web, endpoint: keyOf("a"), why }, 0, settings);
    const both = step(one, { kind: "failing", port: api, endpoint: keyOf("b"), why }, 20_000, settings);
    const [first, second] = [asideOf(one), asideOf(both, asideOf(one))];
    assert.notEqual(second, first);
    const before = asideOf(both, second);
    assert.equal(before, second);
    // The times of one that was let in go down: nothing changes of who is aside.
    const later = step(both, { kind: "time" }, 30_000, settings);
    const third = asideOf(later, second);
    assert.equal(third.get("shop/api"), second.get("shop/api"));
    assert.equal(third.has("shop/web"), false);
  });
});

describe("any failures, at any time, in a mesh that changes in any way", () => {
  for (let seed = 0; seed < 200; seed++) {
    it(`seed ${seed}: the share is kept, somebody is left, and nobody is aside for ever`, () => {
      const random = randomFrom(seed);
      const below = (n: number) => Math.floor(random() * n);
      const percent = [0, 10, 50, 100][below(4)];
      const own = { ...settings, maxEjectionPercent: percent };
      const randomPort = () => {
        const all = names("e", 1 + below(12));
        const tiers = Array.from(
          { length: 1 + below(3) },
          () => ({ weights: {} as Record<string, number>, portless: 0 }),
        );
        for (const name of all) tiers[below(tiers.length)].weights[name] = random() < 0.1 ? 0 : 1 + below(3);
        if (random() < 0.1) tiers[below(tiers.length)].portless = 1;
        return wholePort(
          tiers.filter(({ weights, portless }) => portless > 0 || Object.keys(weights).length > 0),
        );
      };
      let port = randomPort();
      let state = nothing;
      let now = 0;
      for (let i = 0; i < 300; i++) {
        const chance = random();
        now += below(20_000);
        if (chance < 0.05) {
          port = randomPort();
          state = step(state, { kind: "service", service: port.service, ports: [port] }, now, own);
        } else if (chance < 0.3) state = step(state, { kind: "time" }, now, own);
        else {
          const endpoint = keyOf(`e${below(12)}`);
          state = step(state, { kind: "failing", port, endpoint, why }, now, own);
        }
        assertShare(state, port, percent);
      }
      for (const { endpoints } of state.values()) {
        for (const { aside, since } of endpoints.values()) {
          if (aside) assert.ok(aside.until - since <= own.maxEjectionMs);
        }
      }
      state = step(state, { kind: "time" }, now + own.maxEjectionMs, own);
      assert.equal(asideOf(state).size, 0);
    });
  }
});

/** The rule itself, written down again: what connections find with these set aside. */
function assertShare(state: OutlierState, { key, tiers }: WholePort, percent: number): void {
  const known = state.get(key)?.endpoints;
  const isAside = (name: string) => known?.get(name)?.aside != null;
  const choosable = tiers.map(({ endpoints }) => endpoints.filter(({ weight }) => weight > 0));
  const last = lastTier(tiers);
  if (last >= 0) {
    const aside = choosable[last].filter((endpoint) => isAside(endpointKey(endpoint))).length;
    assert.ok(aside <= mostAside(choosable[last].length, percent));
  }
  // With nobody aside the nearest tier decides; with some, the nearest that has anybody left must have somebody to choose as well.
  const nearest = tiers.findIndex(({ endpoints, portless }) =>
    portless > 0 || endpoints.some((endpoint) => !isAside(endpointKey(endpoint)))
  );
  if (choosable[0]?.length > 0) {
    assert.ok(nearest >= 0 && choosable[nearest].some((endpoint) => !isAside(endpointKey(endpoint))));
  }
}
