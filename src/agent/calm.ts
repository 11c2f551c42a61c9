/** Lets connects pass by map connect_failures while no endpoint fails (bpf/failures.h). */

import type { ArrayMap, workload } from "../../ffi/mod.ts";

/** No endpoint's: it says whether any other element may be other than 0. */
const someFail = 0;

/**
 * Clears the word that says that some endpoint fails, and sets it again if one does. A connect that succeeds in between is not counted
 * as one, which delays the forgetting of earlier failures to the next success.
 *
 * @param isInUse whether the index is that endpoint's still; what is left of others does not count
 */
export function calmDown(
  failures: Pick<ArrayMap<workload.ConnectFailures>, "lookup" | "update" | "entries">,
  isInUse: (index: number, generation: number) => boolean,
): void {
  if (!failures.lookup(someFail)?.inARow) return;
  // In this order: a failure that comes while the others are looked at sets it itself.
  failures.update(someFail, { inARow: 0, generation: 0 });
  for (const [index, { inARow, generation }] of failures.entries()) {
    if (index === someFail || inARow === 0 || !isInUse(index, generation)) continue;
    failures.update(someFail, { inARow: 1, generation: 0 });
    return;
  }
}
