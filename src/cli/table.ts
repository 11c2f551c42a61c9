import { unicodeWidth } from "@std/cli/unicode-width";
import type { Style, StyleName } from "./style.ts";

/** What one cell shows; `undefined` and `null` show as `-`. */
export type Cell = string | number | bigint | boolean | null | undefined | StyledCell;

/** A cell that stands out on terminals. */
export interface StyledCell {
  readonly text: string;
  readonly style: StyleName;
}

/** Between columns. */
const gap = "  ";

/**
 * Lays rows out in columns under a bold header: numbers to the right, all else to the left, no spaces at a line's end.
 *
 * @param header the columns' titles
 * @param rows as many cells each as there are titles
 * @returns lines, each with its line end
 */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  style: Style,
): string {
  const texts = rows.map((row) => header.map((_, column) => cellText(row[column])));
  const widths = header.map((title, column) =>
    texts.reduce((widest, row) => Math.max(widest, unicodeWidth(row[column])), unicodeWidth(title))
  );
  const toTheRight = header.map((_, column) => isNumeric(rows.map((row) => row[column])));
  const line = (cells: readonly string[], mark: (column: number, text: string) => string) => {
    const filled = cells.findLastIndex((cell) => cell !== "");
    return cells.slice(0, filled + 1).map((text, column) => {
      const padding = " ".repeat(widths[column] - unicodeWidth(text));
      const marked = mark(column, text);
      if (toTheRight[column]) return padding + marked;
      return column === filled ? marked : marked + padding;
    }).join(gap) + "\n";
  };
  return line(header, (_, text) => style("bold", text)) +
    texts.map((row, index) => line(row, (column, text) => styleCell(rows[index][column], text, style))).join(
      "",
    );
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return "-";
  return printable(typeof cell === "object" ? cell.text : String(cell));
}

function styleCell(cell: Cell, text: string, style: Style): string {
  if (cell === null || cell === undefined) return style("dim", text);
  return typeof cell === "object" ? style(cell.style, text) : text;
}

/** Whether a column holds numbers, and at least one. */
function isNumeric(cells: readonly Cell[]): boolean {
  const present = cells.filter((cell) => cell !== null && cell !== undefined);
  return present.length > 0 && present.every((cell) => typeof cell === "number" || typeof cell === "bigint");
}

/** Names come from outside: what would move the cursor or colour the terminal is shown as its code. */
function printable(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
