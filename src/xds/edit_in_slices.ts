import { editSnapshot, type MeshEdit, type Snapshot } from "../mesh/mod.ts";

/** Values that one slice edits; so many take a few milliseconds. */
const atATime = 1000;

/**
 * As `editSnapshot`, in bounded slices: nobody sees the snapshots in between, and as the order of edits does not matter the outcome
 * is the same.
 *
 * @param pause called between slices; what it returns is awaited
 */
export async function editInSlices(
  snapshot: Snapshot,
  edit: MeshEdit,
  pause: () => Promise<void> | undefined,
): Promise<Snapshot> {
  let next = snapshot;
  // Removals first, as in one edit.
  for (
    const field of [
      ...["removeWorkloads", "removeServices", "removePolicies"] as const,
      ...["upsertWorkloads", "upsertServices", "upsertPolicies"] as const,
    ]
  ) {
    const values = edit[field] ?? [];
    for (let at = 0; at < values.length; at += atATime) {
      next = editSnapshot(next, { [field]: values.slice(at, at + atATime) });
      await pause();
    }
  }
  return next;
}
