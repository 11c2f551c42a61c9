import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import { describe, it } from "@std/testing/bdd";
import { createLogger, defaultLogFormat, type LoggerOptions } from "../../src/observe/mod.ts";

/** A logger, and the lines that it has written. */
function recorded(options: Omit<LoggerOptions, "write">) {
  const lines: string[] = [];
  return { log: createLogger({ ...options, write: (line) => void lines.push(line) }), lines };
}

describe("createLogger, JSON", () => {
  it("writes one object a line, with ISO time and the level's name", () => {
    const { log, lines } = recorded({ format: "json" });
    const before = Date.now();
    log.info("attached", { programs: 9, cgroup: "/a b", ids: [1, 2] });
    assert.equal(lines.length, 1);
    assert.ok(lines[0].endsWith("}\n"));
    const { time, ...rest } = JSON.parse(lines[0]);
    assert.deepEqual(rest, { level: "info", msg: "attached", programs: 9, cgroup: "/a b", ids: [1, 2] });
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now());
  });

  it("names each level", () => {
    const { log, lines } = recorded({ format: "json", level: "debug" });
    for (const level of ["debug", "info", "warn", "error"] as const) log[level](level);
    assert.deepEqual(lines.map((line) => JSON.parse(line).level), ["debug", "info", "warn", "error"]);
  });

  it("does not let a field take the place of its own", () => {
    const { log, lines } = recorded({ format: "json" });
    log.info("said", { msg: "other", level: 3, time: "noon" });
    const { msg, level, msg_, level_, time_ } = JSON.parse(lines[0]);
    assert.deepEqual({ msg, level, msg_, level_, time_ }, {
      msg: "said",
      level: "info",
      msg_: "other",
      level_: 3,
      time_: "noon",
    });
  });

  it("writes an error as its message and those of its causes", () => {
    const { log, lines } = recorded({ format: "json" });
    log.error("no", { error: new Error("outer", { cause: new TypeError("inner", { cause: "root" }) }) });
    assert.equal(JSON.parse(lines[0]).error, "outer: inner: root");
  });

  it("writes a bigint, also inside an object", () => {
    const { log, lines } = recorded({ format: "json" });
    log.info("sizes", { bytes: 2n ** 60n, map: { memlock: 5n } });
    assert.match(lines[0], /"bytes":"1152921504606846976","map":\{"memlock":5\}/);
  });
});

describe("createLogger, text", () => {
  it("writes time, level, message and fields in one line", () => {
    const { log, lines } = recorded({ format: "text" });
    log.warn("reload failed", { file: "a.yaml", why: "two words", count: 3, tags: ["x"], pid: 7 });
    assert.match(
      lines[0],
      /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\] WARN: reload failed {2}file=a\.yaml {2}why="two words" {2}count=3 {2}tags=\["x"\] {2}pid=7\n$/,
    );
  });

  it("keeps to one line and away from the terminal, whatever it quotes", () => {
    const { log, lines } = recorded({ format: "text" });
    log.info("one\ntwo\x1b[2J", { name: "a\nb", list: ["\x9b"] });
    assert.match(lines[0], /INFO: one\\ntwo\\x1b\[2J {2}name="a\\nb" {2}list=\["\\x9b"\]\n$/);
  });

  it("colours only when told to", () => {
    const plain = recorded({ format: "text" });
    const coloured = recorded({ format: "text", colour: true });
    for (const { log } of [plain, coloured]) log.error("down");
    assert.equal(stripVTControlCharacters(plain.lines[0]), plain.lines[0]);
    assert.notEqual(stripVTControlCharacters(coloured.lines[0]), coloured.lines[0]);
    assert.match(stripVTControlCharacters(coloured.lines[0]), /ERROR: down\n$/);
  });
});

describe("createLogger, both", () => {
  for (const format of ["text", "json"] as const) {
    it(`leaves out what is less important (${format})`, () => {
      const { log, lines } = recorded({ format, level: "warn" });
      log.debug("a");
      log.info("b");
      log.warn("c");
      log.error("d");
      assert.equal(lines.length, 2);
    });
  }

  it("is text on a terminal and JSON elsewhere", () => {
    assert.equal(defaultLogFormat(true), "text");
    assert.equal(defaultLogFormat(false), "json");
  });
});
