import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { defaultWatermarks, type Watermarks } from "../../src/records/mod.ts";
import { correction, type Fill, stepOf } from "../../src/records/watermarks.ts";
import { randomFrom } from "./_random.ts";

interface Case {
  readonly marks: Watermarks;
  readonly fill: Fill;
  readonly step: number;
  readonly next: boolean;
}

/** Many classes, full and empty, with the default watermarks and with others. */
function* cases(): Generator<Case> {
  const random = randomFrom(1);
  for (let count = 0; count < 60_000; count++) {
    const growAt = random() < 0.4 ? 0.7 : 0.05 + Math.floor(random() * 20) / 20;
    const shrinkAt = growAt === 0.7 && random() < 0.8 ? 0.3 : growAt * random();
    const used = random() < 0.2 ? 0 : Math.floor(2 ** (random() * 11));
    const allocated = used + Math.floor(2 ** (random() * 12)) - 1;
    const step = 1 + Math.floor(random() * (random() < 0.5 ? 4 : 64));
    yield { marks: { growAt, shrinkAt, step }, fill: { used, allocated }, step, next: random() < 0.5 };
  }
}

function apply({ marks, fill, step, next }: Case): number {
  return fill.allocated + correction(marks, fill, step, next);
}

/** What a class has that nobody had grown yet. */
function fresh(one: Case): number {
  return apply({ ...one, fill: { used: one.fill.used, allocated: 0 } });
}

function check(one: Case, holds: boolean, what: string): void {
  if (!holds) assert.fail(`${what}: ${JSON.stringify(one)} becomes ${apply(one)}`);
}

describe("watermarks", () => {
  it("grow a class when the growth watermark is reached, by as few steps as leave it below", () => {
    let grown = 0;
    for (const one of cases()) {
      const { marks: { growAt }, fill: { used, allocated }, step } = one;
      const after = apply(one);
      check(one, used === 0 || used / after < growAt, "the growth watermark is reached still");
      if (used === 0) continue;
      check(
        one,
        (after > allocated) === (used / allocated >= growAt),
        "grows at the watermark, and only then",
      );
      if (after === allocated || after < allocated) continue;
      grown++;
      check(one, (after - allocated) % step === 0, "not in steps");
      const less = after - step;
      check(one, used / less >= growAt, "grows by more than it needs");
    }
    assert.ok(grown > 1000);
  });

  it("shrink a class when the lower watermark is reached and more than one step is there", () => {
    let shrunk = 0;
    for (const one of cases()) {
      const { marks: { shrinkAt, growAt }, fill: { used, allocated }, step } = one;
      const after = apply(one);
      if (after >= allocated) {
        // Enough is there to free a step, and it was not.
        const free = used / allocated <= shrinkAt && allocated > step && allocated - step >= 1 &&
          used / (allocated - step) < growAt && allocated - step >= fresh(one);
        check(one, !free, "does not shrink");
        continue;
      }
      shrunk++;
      check(one, used / allocated <= shrinkAt && allocated > step, "shrinks too early");
      check(one, (allocated - after) % step === 0, "not in steps");
      check(one, after >= used && after >= 1, "takes away what is used");
      check(one, used / after < growAt, "shrinks up to the growth watermark");
    }
    assert.ok(shrunk > 1000);
  });

  it("leave what growing from nothing would have made, within one step", () => {
    for (const one of cases()) {
      const after = apply(one);
      if (after >= one.fill.allocated) continue;
      check(one, Math.abs(after - fresh(one)) <= one.step, `fresh would be ${fresh(one)}`);
    }
  });

  it("ask for nothing more once that is done", () => {
    for (const one of cases()) {
      const settled = { ...one, fill: { ...one.fill, allocated: apply(one) } };
      const more = correction(settled.marks, settled.fill, settled.step, settled.next);
      assert.ok(Object.is(more, 0), `${JSON.stringify(settled)} asks for ${more}`);
    }
  });

  it("keep a few spares where records of the class below may grow into a class that nothing uses", () => {
    const empty = { used: 0, allocated: 0 };
    assert.equal(correction(defaultWatermarks, empty, 64, true), 64);
    assert.equal(correction(defaultWatermarks, empty, 4, true), 4);
    assert.equal(correction(defaultWatermarks, empty, 1, true), 1);
    assert.equal(correction(defaultWatermarks, empty, 4, false), 0);
    assert.equal(correction(defaultWatermarks, { used: 0, allocated: 100 }, 4, true), -96);
    assert.equal(correction(defaultWatermarks, { used: 0, allocated: 101 }, 4, false), -100);
  });

  it("count the issue's worked case as it does", () => {
    const marks = { growAt: 0.7, shrinkAt: 0.3, step: 5 };
    assert.equal(correction(marks, { used: 5, allocated: 7 }, 5, false), 5);
    assert.equal(correction(marks, { used: 5, allocated: 12 }, 5, false), 0);
    // At the marks themselves: 7 of 10, and 3 of 10.
    assert.equal(correction(marks, { used: 7, allocated: 10 }, 5, false), 5);
    assert.equal(correction(marks, { used: 69, allocated: 100 }, 5, false), 0);
    assert.equal(correction(marks, { used: 3, allocated: 10 }, 5, false), -5);
    assert.equal(correction(marks, { used: 31, allocated: 100 }, 5, false), 0);
    // Not more than one step is there.
    assert.equal(correction(marks, { used: 1, allocated: 5 }, 5, false), 0);
  });
});

describe("the step", () => {
  it("is what was asked for", () => {
    assert.equal(stepOf({ ...defaultWatermarks, step: 5 }, 1_000_000, 1000), 5);
  });

  it("adapts: a quarter of what is used, from 4 to 64 slots", () => {
    const step = (used: number) => stepOf(defaultWatermarks, 1, used);
    assert.deepEqual([0, 1, 16, 17, 40, 256, 10_000].map(step), [4, 4, 4, 5, 10, 64, 64]);
  });

  it("costs little where inner maps are large: one slot, or some KiB", () => {
    for (const used of [0, 20, 1000]) {
      let last = Infinity;
      for (let bytes = 320; bytes < 1_000_000; bytes = Math.ceil(bytes * 1.1)) {
        const step = stepOf(defaultWatermarks, bytes, used);
        assert.ok(Number.isInteger(step) && step >= 1 && step <= last, `${step} slots of ${bytes} bytes`);
        assert.ok(step === 1 || step * bytes <= 32 * 1024, `${step} slots of ${bytes} bytes`);
        last = step;
      }
      assert.equal(last, 1);
    }
  });
});
