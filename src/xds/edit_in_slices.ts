import type { Pause } from "../host/slices.ts";
import { beginEdit, editSnapshot, type MeshEdit, type Snapshot } from "../mesh/mod.ts";

/** Values that are edited between two looks at the clock; so many take a millisecond. */
const atATime = 100;

/**
 * As `editSnapshot`, in bounded slices: nobody sees anything in between.
 *
 * @param pause called between slices; what it returns is awaited
 */
export async function editInSlices(
  snapshot: Snapshot,
  edit: MeshEdit,
  pause: Pause,
): Promise<Snapshot> {
  if (sizeOf(edit) <= atATime) return editSnapshot(snapshot, edit);
  const editing = beginEdit(snapshot);
  // Removals first, as in one edit.
  for (
    const field of [
      ...["removeWorkloads", "removeServices", "removePolicies"] as const,
      ...["upsertWorkloads", "upsertServices", "upsertPolicies"] as const,
    ]
  ) {
    const values = edit[field] ?? [];
    for (let at = 0; at < values.length; at += atATime) {
      editing.add({ [field]: values.slice(at, at + atATime) });
      await pause();
    }
  }
  return editing.finish();
}

function sizeOf(edit: MeshEdit): number {
  const { removeWorkloads, removeServices, removePolicies, upsertWorkloads, upsertServices, upsertPolicies } =
    edit;
  return (removeWorkloads?.length ?? 0) + (removeServices?.length ?? 0) + (removePolicies?.length ?? 0) +
    (upsertWorkloads?.length ?? 0) + (upsertServices?.length ?? 0) + (upsertPolicies?.length ?? 0);
}
