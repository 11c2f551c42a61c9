import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { CheckFailed, type CheckResult, type CheckSpec } from "../../src/doctor/check.ts";
import { createChecklist, type Section } from "../../src/doctor/checklist.ts";

/** A section, and what comes of its checks. */
function checklist(signal = new AbortController().signal): { results: CheckResult[]; section: Section } {
  const results: CheckResult[] = [];
  return { results, section: createChecklist((result) => results.push(result), signal).section("Things") };
}

const spec = (name: string, more: Partial<CheckSpec> = {}): CheckSpec => ({
  id: `things.${name}`,
  title: `the ${name}`,
  remedy: `mend the ${name}`,
  ...more,
});

const fine = () => ({ value: null, detail: "fine" });
const broken = () => {
  throw new CheckFailed("it is broken");
};

const summary = (results: readonly CheckResult[]) => results.map(({ id, status }) => `${id} ${status}`);

describe("a checklist", () => {
  it("tells each result as it comes, with its section", async () => {
    const { results, section } = checklist();
    await section.check(spec("first"), [], fine);
    const [{ durationMs, ...first }] = results;
    assert.deepEqual(first, {
      id: "things.first",
      section: "Things",
      title: "the first",
      status: "ok",
      detail: "fine",
      remedy: null,
    });
    assert.ok(durationMs >= 0);
    await section.check(spec("second"), [], fine);
    assert.deepEqual(summary(results), ["things.first ok", "things.second ok"]);
  });

  it("hands values to the checks that need them, in the order of the needs", async () => {
    const { section } = checklist();
    const number = await section.check(spec("number"), [], () => ({ value: 7, detail: "7" }));
    const text = await section.check(spec("text"), [], () => Promise.resolve({ value: "x", detail: "x" }));
    const seen: [string, number][] = [];
    await section.check(spec("both"), [text, number], (text, number) => {
      seen.push([text, number]);
      return fine();
    });
    assert.deepEqual(seen, [["x", 7]]);
  });

  it("goes on after a failure, which says what to do", async () => {
    const { results, section } = checklist();
    await section.check(spec("bad"), [], broken);
    await section.check(spec("good"), [], fine);
    assert.deepEqual(summary(results), ["things.bad failed", "things.good ok"]);
    assert.equal(results[0].detail, "it is broken");
    assert.equal(results[0].remedy, "mend the bad");
  });

  it("does not run what builds on a failure, and names the check at fault, not those in between", async () => {
    const { results, section } = checklist();
    let ran = false;
    const bad = await section.check(spec("bad"), [], broken);
    const middle = await section.check(spec("middle"), [bad], fine);
    const good = await section.check(spec("good"), [], fine);
    await section.check(spec("last"), [good, middle], () => {
      ran = true;
      return fine();
    });
    assert.equal(ran, false);
    assert.deepEqual(summary(results).slice(1), [
      "things.middle skipped",
      "things.good ok",
      "things.last skipped",
    ]);
    assert.equal(results[3].detail, "because of: the bad");
    assert.equal(results[3].remedy, null);
  });

  it("warns of the failure of what weft does without, and still skips what builds on it", async () => {
    const { results, section } = checklist();
    const luxury = await section.check(spec("luxury", { optional: true }), [], broken);
    await section.check(spec("more"), [luxury], fine);
    assert.deepEqual(summary(results), ["things.luxury warning", "things.more skipped"]);
    assert.equal(results[0].remedy, "mend the luxury");
  });

  it("keeps the value of what works but not as well as it could", async () => {
    const { results, section } = checklist();
    const slow = await section.check(
      spec("slow"),
      [],
      () => ({ value: 1, detail: "slow", warning: "buy more" }),
    );
    assert.deepEqual(slow, { found: true, value: 1 });
    assert.equal(results[0].status, "warning");
    assert.equal(results[0].remedy, "buy more");
  });

  it("runs nothing after its signal has aborted, and throws the reason", async () => {
    const controller = new AbortController();
    const { results, section } = checklist(controller.signal);
    const reason = new Error("enough");
    // An event that is waiting is seen before the next check, though checks block.
    setTimeout(() => controller.abort(reason));
    await assert.rejects(section.check(spec("late"), [], fine), reason);
    assert.deepEqual(results, []);
  });
});
