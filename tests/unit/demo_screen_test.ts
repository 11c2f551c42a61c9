import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { unicodeWidth } from "@std/cli/unicode-width";
import { acts } from "../../src/demo/acts.ts";
import { backends } from "../../src/demo/mesh.ts";
import { createStage, type View } from "../../src/demo/mod.ts";
import {
  drawActResult,
  drawFrame,
  drawIntroduction,
  drawSummary,
  leastWidth,
} from "../../src/demo/screen.ts";
import type { Counts } from "../../src/demo/tally.ts";

const plain = (_: string, text: string) => text;

/** So many calls to each backend, in the order of the demo's list, and so many to nobody. */
function counts(answered: readonly number[], none = 0): Counts {
  return [{
    kind: "TCP over IPv4",
    answered: new Map(backends.map(({ name }, index) => [name, answered[index]])),
    unanswered: new Map(none > 0 ? [["EHOSTUNREACH", none]] : []),
  }];
}

function view(number: number, recent: Counts, total = recent): View {
  return { act: acts[number - 1], number, recent, total, failed: 0, agentPid: 4_194_303 };
}

const busy = counts([999_999, 999_999, 999_999, 999_999], 999_999);

describe("demo: screen", () => {
  it("shows each backend with its share as a bar, and a mark at what the mesh file says", () => {
    const lines = drawFrame(view(1, counts([40, 20, 20, 20])), { width: 63 + 16, paint: plain });
    const [a1, a2] = lines.filter((line) => line.startsWith("web-a"));
    // Bars of 16 cells are full at 40%: 25% is 10 cells, and the mark is in the place of the eleventh.
    assert.equal(a1, "web-a1    10.77.1.11:8080  capacity 1   ██████████│█████  40.0%      40       0");
    assert.equal(a2, "web-a2    10.77.1.12:8081  capacity 1   ████████  │       20.0%      20       0");
  });

  it("says what the mesh file says", () => {
    const frame = (number: number) => drawFrame(view(number, busy), { width: 100, paint: plain }).join("\n");
    assert.match(frame(2), /web-b2 .* Unhealthy /);
    assert.match(frame(3), /web-b2 .* capacity 2 /);
    assert.match(frame(7), /web-a1 .* not in it /);
  });

  for (const width of [leastWidth, 80, 100, 200]) {
    it(`fits ${width} columns`, () => {
      const page = { width, paint: plain };
      const results = acts.map((act, index) => ({
        act,
        number: index + 1,
        compared: busy,
        problem: undefined,
      }));
      const report = { results, answered: 9_999_999, refused: 9_999_999, failed: 999 };
      const lines = [
        ...drawIntroduction(page),
        ...acts.flatMap((_, index) => drawFrame(view(index + 1, busy), page)),
        ...results.flatMap((result) => drawActResult(result, page)),
        ...drawSummary(report, page),
      ];
      for (const line of lines) assert.ok(unicodeWidth(line) <= width, `${unicodeWidth(line)}: ${line}`);
    });
  }

  it("shows nothing odd before the first call", () => {
    const lines = drawFrame(view(1, []), { width: 100, paint: plain });
    assert.ok(lines.some((line) => /^web-a1 .* 0\.0% +0 +0$/.test(line)), lines.join("\n"));
  });

  it("counts the acts that went well", () => {
    const results = acts.map((act, index) => ({
      act,
      number: index + 1,
      compared: busy,
      problem: index === 3 ? "nobody came" : undefined,
    }));
    const [line] = drawSummary({ results, answered: 1, refused: 2, failed: 3 }, { width: 100, paint: plain });
    assert.match(line, new RegExp(`^✗ ${acts.length - 1} of ${acts.length} acts`));
    assert.ok(
      drawActResult(results[3], { width: 100, paint: plain }).some((line) => line.includes("nobody came")),
    );
  });
});

describe("demo: stage", () => {
  /** What a terminal shows after all that was written. */
  function terminal(): { write: (text: string) => void; shown: () => string[] } {
    const lines: string[] = [""];
    let row = 0;
    let column = 0;
    const keep = (count: number) => lines[row] = lines[row].slice(0, count);
    return {
      write: (text) => {
        for (
          const part of text.split("\x1b[").flatMap((part, index) => index === 0 ? [`m${part}`] : [part])
        ) {
          const [, count, command, plain] = /^(\d*)([AKJm])(.*)$/s.exec(part)!;
          if (command === "A") row -= Number(count);
          if (command === "K" || command === "J") keep(column);
          if (command === "J") lines.length = row + 1;
          for (const character of plain) {
            if (character === "\n") {
              lines[++row] ??= "";
              column = 0;
            } else {
              lines[row] = lines[row].slice(0, column) + character + lines[row].slice(column + 1);
              column++;
            }
          }
        }
      },
      shown: () => lines,
    };
  }

  it("redraws the table in place, and keeps what was told above it", () => {
    const screen = terminal();
    const stage = createStage({ width: 100, paint: plain, canRedraw: true, write: screen.write });
    stage.show(view(1, counts([1, 1, 1, 1])));
    stage.show(view(1, counts([2, 1, 1, 1])));
    stage.tell({ act: acts[0], number: 1, compared: counts([2, 1, 1, 1]), problem: undefined });
    stage.show(view(2, counts([3, 1, 1, 1])));
    const shown = screen.shown();
    assert.equal(shown[0], `✓ 1 ${acts[0].title}`);
    assert.equal(shown.filter((line) => line.startsWith("web-a1")).length, 1);
    assert.ok(shown.some((line) => line.startsWith(`2/${acts.length}  `)));
    stage.close();
    assert.deepEqual(screen.shown().slice(2), [""]);
  });

  it("writes lines where nothing can be redrawn, or the terminal is too narrow", () => {
    for (const options of [{ canRedraw: false, width: 100 }, { canRedraw: true, width: leastWidth - 1 }]) {
      let written = "";
      const stage = createStage({ ...options, paint: plain, write: (text) => written += text });
      stage.show(view(1, busy));
      stage.show(view(1, busy));
      stage.show(view(2, busy));
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(written, /\x1b/);
      assert.deepEqual(written.match(/^\d\/\d/gm), [`1/${acts.length}`, `2/${acts.length}`]);
    }
  });
});
