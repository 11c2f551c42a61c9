/**
 * The Prometheus text format, version 0.0.4. Written here because the library for it, prom-client, cannot be compiled into the
 * product: `deno compile` 2.9.4 overflows its stack on it (docs/architecture.md).
 */

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** Each metric with its help and type, and a line for each of its samples. */
export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.flatMap(({ name, help, type, samples }) => [
    `# HELP ${name} ${help.replace(/[\\\n]/g, escape)}\n`,
    `# TYPE ${name} ${type}\n`,
    ...samples.map(({ labels, value }) => `${name}${renderLabels(labels)} ${value}\n`),
  ]).join("");
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${value.replace(/[\\\n"]/g, escape)}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}
