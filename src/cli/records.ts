import { ask } from "./ask.ts";
import { defineCommand } from "./command.ts";
import { pinRootFlag, socketFlag } from "./common_flags.ts";
import { exitCodes } from "./exit_codes.ts";
import { outputFlag, printOutput } from "./output.ts";
import { type Cell, renderTable } from "./table.ts";

/** The command `weft records`. */
export const recordsCommand = defineCommand({
  name: "records",
  summary: "show the record pool: how many lists of endpoints the kernel holds, and spares",
  description:
    "Each service port's endpoints are a record in the kernel. Records come in size classes; each class keeps " +
    "spares, so that a change need not wait for the kernel. One line a class: how many records it holds, how many slots " +
    "have an inner map, and what they cost. A class grows when used/allocated reaches one watermark and shrinks when it " +
    "falls to the other.",
  flags: [outputFlag, pinRootFlag, socketFlag],
  positionals: [],
  examples: [{ command: "weft records", help: "is there a class without spares? does the pool grow?" }],
  async run(context) {
    const { recordsResponse } = await import("../observe/api.ts");
    const records = await ask(context.flags, "/records", recordsResponse);
    await printOutput(context, context.flags.output, records, () => {
      const { slots, counts, watermarks } = records;
      const table = renderTable(
        ["CAPACITY", "USED", "ALLOCATED", "FULL", "HIGHEST SLOT", "STEP", "KIB"],
        records.classes.map((one): Cell[] => [
          one.capacity,
          one.used,
          one.allocated,
          percent(one.used / one.allocated),
          one.highestSlot,
          one.step,
          Math.ceil(one.bytes / 1024),
        ]),
        context.stdout.style,
      );
      const head: [string, string][] = [
        ["slots", `${slots.used} used, ${slots.allocated} allocated, ${slots.size} in the outer map`],
        ["memory", `${Math.ceil(records.bytes / 1024)} KiB`],
        ["watermarks", `grow at ${percent(watermarks.growAt)}, shrink at ${percent(watermarks.shrinkAt)}`],
        [
          "records",
          `${counts.fromSpares} took a spare; ${counts.burstRecords} in ${counts.bursts} bursts did not`,
        ],
        ["spares", `${counts.grown} added, ${counts.shrunk} freed, ${counts.repaired} put right`],
        ...records.error ? [["error", records.error] as [string, string]] : [],
      ];
      return `${head.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join("")}\n${table}`;
    });
    return exitCodes.ok;
  },
});

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
