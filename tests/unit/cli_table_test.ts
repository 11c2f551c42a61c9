import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import { describe, it } from "@std/testing/bdd";
import { createStyle, wantsStyle } from "../../src/cli/style.ts";
import { type Cell, renderTable } from "../../src/cli/table.ts";

const plain = createStyle(false);

describe("renderTable", () => {
  it("aligns columns, numbers to the right, and ends no line in a space", () => {
    const text = renderTable(["SERVICE", "PORTS", "STATE"], [
      ["default/web", 12, "ok"],
      ["a", 1, "needs waypoint"],
      ["b", 300n, ""],
    ], plain);
    assert.equal(
      text,
      [
        "SERVICE      PORTS  STATE",
        "default/web     12  ok",
        "a                1  needs waypoint",
        "b              300",
        "",
      ].join("\n"),
    );
  });

  it("counts columns of the terminal and not code units", () => {
    const text = renderTable(["NAME", "X"], [["日本", "1"], ["é", "2"]], plain);
    assert.equal(text, "NAME  X\n日本  1\né     2\n");
  });

  it("shows what is not there as a dash, also among numbers", () => {
    assert.equal(renderTable(["A", "N"], [["x", null], [undefined, 10]], plain), "A   N\nx   -\n-  10\n");
  });

  it("shows a header over no rows", () => assert.equal(renderTable(["A", "B"], [], plain), "A  B\n"));

  it("has no limit of rows", () => {
    const lines = renderTable(["A"], Array.from({ length: 200_000 }, (_, i) => [`${i}`]), plain).split("\n");
    assert.equal(lines.length, 200_002);
    assert.equal(lines.at(-2), "199999");
  });

  it("shows control characters as codes", () => {
    assert.equal(renderTable(["A"], [["a\x1b[31m\nb\x9b"]], plain), "A\na\\x1b[31m\\x0ab\\x9b\n");
  });

  it("marks without moving a column", () => {
    const rows: Cell[][] = [[{ text: "down", style: "red" }, "x"], ["up", "y"]];
    const styled = renderTable(["A", "B"], rows, createStyle(true));
    assert.equal(stripVTControlCharacters(styled), renderTable(["A", "B"], rows, plain));
    assert.ok(styled.includes("\x1b[31mdown\x1b[39m  x\n"), styled);
    assert.ok(styled.startsWith("\x1b[1mA\x1b[22m     \x1b[1mB\x1b[22m\n"), styled);
  });
});

describe("wantsStyle", () => {
  const env = (values: Record<string, string>) => (name: string) => values[name];
  it("says yes for a terminal only", () => {
    assert.equal(wantsStyle(true, env({ TERM: "xterm" })), true);
    assert.equal(wantsStyle(false, env({ TERM: "xterm" })), false);
  });
  it("obeys NO_COLOR, unless it is empty, and a dumb terminal", () => {
    assert.equal(wantsStyle(true, env({ NO_COLOR: "1" })), false);
    assert.equal(wantsStyle(true, env({ NO_COLOR: "" })), true);
    assert.equal(wantsStyle(true, env({ TERM: "dumb" })), false);
  });
});
