/** What a benchmark found out. */

/** One figure; `goal` is the most that it should be. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: "×" | "ns" | "µs" | "ms" | "MiB" | "calls" | "%" | "";
  /** @default it is shown for information */
  readonly goal?: number;
  /** The values that it was made of, and how far to trust it: a few words each. */
  readonly details?: Readonly<Record<string, string | number>>;
}

/** One benchmark. */
export interface Benchmark {
  readonly name: string;
  /** What is measured, in one line. */
  readonly title: string;
  readonly run: (options: BenchmarkOptions) => Promise<readonly Figure[]>;
}

export interface BenchmarkOptions {
  /** Fewer rounds: to see that it works, not to compare. */
  readonly quick: boolean;
  /** Says what is going on, on standard error. */
  readonly say: (line: string) => void;
}

/** Whether a figure reaches its goal; `undefined` where it has none. */
export function isMet({ value, goal }: Figure): boolean | undefined {
  return goal === undefined ? undefined : value <= goal;
}

/** As many digits as mean something. */
export function formatValue(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.abs(value) < 10 ? 3 : 1);
}

/** An aligned table: value, goal, whether it is met, and what the value was made of. */
export function formatFigures(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const met = isMet(figure);
    return [
      figure.name,
      `${formatValue(figure.value)} ${figure.unit}`.trimEnd(),
      figure.goal === undefined ? "" : `≤ ${formatValue(figure.goal)}`,
      met === undefined ? "" : met ? "met" : "MISSED",
      Object.entries(figure.details ?? {}).map(([name, value]) =>
        `${name} ${typeof value === "number" ? formatValue(value) : value}`
      ).join(", "),
    ];
  });
  const header = ["figure", "value", "goal", "", "made of"];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length))
  );
  const isNumber = [false, true, true, false, false];
  return [header, ...rows].map((row) =>
    row.map((cell, column) => isNumber[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))
      .join("  ").trimEnd()
  ).join("\n");
}
