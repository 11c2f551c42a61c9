/** Where the demo is shown: a table that is redrawn in place on terminals, lines everywhere else. */

import {
  drawActResult,
  drawActTitle,
  drawFrame,
  drawIntroduction,
  drawMoment,
  leastWidth,
  type Page,
} from "./screen.ts";
import type { ActResult, View } from "./view.ts";

export interface Stage {
  introduce(): void;
  /** Shows the act as it goes; may be called often. */
  show(view: View): void;
  /** Tells how an act went. What has been told stays. */
  tell(result: ActResult): void;
  /** Takes the table away. */
  close(): void;
}

export interface StageOptions extends Page {
  readonly write: (text: string) => void;
  /** Whether the cursor can be moved. */
  readonly canRedraw: boolean;
}

/** How often a line is written where nothing can be redrawn, in milliseconds. */
const lineEveryMs = 1000;

export function createStage(options: StageOptions): Stage {
  return options.canRedraw && options.width >= leastWidth ? tableStage(options) : lineStage(options);
}

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

function tableStage(options: StageOptions): Stage {
  const { write } = options;
  let height = 0;
  // Each line is overwritten and then cleared to its end: nothing flickers.
  const overwrite = (lines: readonly string[], below: readonly string[]) => {
    const up = height === 0 ? "" : `\x1b[${height}A`;
    const all = [...lines, ...below].map((line) => `${line}\x1b[K\n`).join("");
    write(`${up}${all}\x1b[J`);
    height = below.length;
  };
  let frame: readonly string[] = [];
  return {
    introduce: () => write(text(["", ...drawIntroduction(options), ""])),
    show: (view) => overwrite([], frame = drawFrame(view, options)),
    tell: (result) => overwrite(drawActResult(result, options), frame),
    close: () => overwrite([], []),
  };
}

function lineStage(options: StageOptions): Stage {
  const { write } = options;
  let number = 0;
  let last = 0;
  return {
    introduce: () => write(text(drawIntroduction(options))),
    show: (view) => {
      if (view.number !== number) {
        number = view.number;
        last = performance.now();
        write(text(["", ...drawActTitle(view)]));
      } else if (performance.now() - last >= lineEveryMs) {
        last += lineEveryMs;
        write(text([drawMoment(view, options)]));
      }
    },
    tell: (result) => write(text(drawActResult(result, options))),
    close: () => {},
  };
}
