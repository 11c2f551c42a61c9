import type { CommandContext } from "./command.ts";

/** How a result is written. */
export type OutputFormat = "table" | "json" | "yaml";

/** `-o`: for every command whose result machines may want to read. */
export const outputFlag = {
  kind: "choice",
  name: "output",
  short: "o",
  valueName: "FORMAT",
  choices: ["table", "json", "yaml"],
  default: "table",
  help: "how to print the result",
} as const;

/**
 * Prints a result on standard output.
 *
 * @param value what JSON and YAML show; a bigint becomes a number where it fits and a string where it does not
 * @param renderTable the same for people; each line with its end
 */
export async function printOutput(
  context: Pick<CommandContext, "stdout">,
  format: OutputFormat,
  value: unknown,
  renderTable: () => string,
): Promise<void> {
  if (format === "table") {
    context.stdout.write(renderTable());
    return;
  }
  const json = JSON.stringify(value, jsonValue, 2);
  if (format === "json") {
    context.stdout.write(`${json}\n`);
    return;
  }
  // By way of JSON, so that both formats show the same; imported here, for few ask for it.
  const { dump } = await import("js-yaml");
  context.stdout.write(dump(JSON.parse(json)));
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
