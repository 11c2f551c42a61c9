import type { ResourcesResponse } from "../observe/api.ts";
import { ask } from "./ask.ts";
import { byText } from "./by_text.ts";
import { defineCommand } from "./command.ts";
import { pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import { resourceTables } from "./resource_tables.ts";

/** The command `weft resources`. */
export const resourcesCommand = defineCommand({
  name: "resources",
  summary: "show what the control plane has told this node, by type",
  description:
    "As it came, before weft makes anything of it: with its version and when it was received. A resource that was refused " +
    "is listed with the reason; its last good version, if there is one, is what is shown and in force. In mode " +
    "workload the types are workloads, services, policies; in mode ads clusters, endpoints, listeners, routes.",
  flags: [outputFlag, pinRootFlag, socketFlag],
  positionals: [{ name: "TYPE", help: "such as workloads or clusters; all where left out", optional: true }],
  examples: [
    { command: "weft resources services", help: "which services does the control plane tell of?" },
    { command: "weft resources -o json", help: "everything, to compare or to keep" },
  ],
  async run(context) {
    const { resourcesResponse } = await import("../observe/api.ts");
    const { TYPE } = context.args;
    const path = TYPE === undefined ? "/resources" : `/resources?type=${encodeURIComponent(TYPE)}`;
    const answer = inOrder(await ask(context.flags, path, resourcesResponse));
    await printOutput(
      context,
      context.flags.output,
      answer,
      () => resourceTables(answer, context.stdout.style),
    );
    return exitCodes.ok;
  },
});

/** The agent tells resources in no order: sorts them by name. */
function inOrder(answer: ResourcesResponse): ResourcesResponse {
  const sorted = <T>(values: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(values).sort(([a], [b]) => byText(a, b)));
  const collections = Object.keys(answer.meta).map((name) => {
    const values = answer[name];
    if (!Array.isArray(values)) return [name, sorted(values as Readonly<Record<string, unknown>>)];
    const nameOf = (value: unknown) => String((value as { name?: unknown }).name);
    return [name, values.toSorted((a, b) => byText(nameOf(a), nameOf(b)))];
  });
  const { meta, rejected, ...rest } = answer;
  return {
    ...rest,
    ...Object.fromEntries(collections),
    meta: Object.fromEntries(Object.entries(meta).map(([name, values]) => [name, sorted(values)])),
    rejected,
  };
}
