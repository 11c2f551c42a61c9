/** The record of a tier: kept, edited in place, or made anew and published by one word. */

import { workload } from "../../../ffi/mod.ts";
import { type Choice, sameContents } from "../../mesh/mod.ts";
import { capacityFor } from "../../records/mod.ts";
import type { AppliedEndpoint, AppliedTier, Layout } from "../applied.ts";
import type { Draft } from "./draft.ts";
import type { PreviousRow, PreviousTier } from "./endpoints.ts";
import { entriesOf, layoutOf, listEntry } from "./layout.ts";
import { editRows, type RowsEdit, withRows } from "./rows.ts";

/** What is edited word by word: that many changed entries, or that share of a tier. A tier of which more changes is built anew. */
const alwaysInPlace = 16;
const shareInPlace = 1 / 8;

/**
 * A record with more room than this many times what a new one would have is moved to a smaller one; small ones are not worth it.
 */
const roomLeft = 2;
const smallRecord = 4;

/** A tier's word. @param mapped some workload maps the port */
export function tierWord(
  tier:
    | {
      readonly slot: number;
      readonly layout: Layout;
      readonly table: { readonly length: number } | null;
      readonly rows: { readonly length: number };
    }
    | null
    | undefined,
  mapped: boolean,
): workload.Tier {
  const { TIER_WEIGHTED, TIER_MAPPED } = workload.tierFlag;
  const weighted = tier?.layout.startsWith("alias");
  const flags = (mapped ? TIER_MAPPED : 0) | (weighted ? TIER_WEIGHTED : 0);
  const count = tier?.table?.length ?? tier?.rows.length ?? 0;
  return { slot: tier?.slot ?? 0, count: (count | flags) >>> 0 };
}

/** Plans a service port's words, where they change. @param before `undefined`: the id is new */
export function writeServicePort(
  draft: Draft,
  id: number,
  before: workload.ServicePort | undefined,
  after: workload.ServicePort,
): void {
  const { flags, choices, limit, tier } = after;
  const sameHead = before?.flags === flags && before.choices === choices && before.limit === limit;
  if (sameHead && before.tier.slot === tier.slot && before.tier.count === tier.count) return;
  draft.servicePorts.push({ key: id, before, after });
}

/**
 * Brings a tier to these rows.
 *
 * @param isLeft whether connections came to it, and go to another one now
 */
export function planTier(
  draft: Draft,
  previous: PreviousTier | null,
  rows: readonly AppliedEndpoint[],
  choice: Choice,
  isLeft: boolean,
): AppliedTier | null {
  if (rows.length === 0) {
    if (previous) draft.released.slots.push(previous.slot);
    return null;
  }
  const layout = layoutOf(rows, choice);
  const kept = previous?.layout !== layout
    ? undefined
    : layout === "list"
    ? keepList(draft, previous, rows, isLeft)
    : keepWhole(previous, rows, choice);
  if (kept) return kept;
  if (previous) draft.released.slots.push(previous.slot);
  const own = [...rows];
  const entries = layout === "list" ? undefined : entriesOf(own, choice);
  const length = entries?.length ?? own.length;
  const { slot, capacity } = previous ? draft.pool.grow(previous.slot, length) : draft.pool.acquire(length);
  draft.taken.slots.push(slot);
  // Those of a list are made when they are written: of a whole mesh they would be many.
  draft.records.push({
    slot,
    get entries() {
      return entries ?? own.map(listEntry);
    },
  });
  const table = layout === "table" ? { choice, length } : null;
  return { slot, capacity, layout, table, rows: own };
}

/** The tier as it is, where what is made of all rows would come out the same; else it has to be built anew. */
function keepWhole(
  previous: PreviousTier,
  rows: readonly AppliedEndpoint[],
  choice: Choice,
): AppliedTier | undefined {
  const { slot, capacity, layout } = previous;
  const keep = (length: number): AppliedTier => (
    { slot, capacity, layout, table: layout === "table" ? { choice, length } : null, rows: [...rows] }
  );
  if ("entries" in previous) {
    const entries = entriesOf(rows, choice);
    const same = entries.length === previous.entries.length &&
      entries.every(({ threshold, endpoint }, i) =>
        previous.entries[i].threshold === threshold && previous.entries[i].endpoint === endpoint
      );
    return same ? keep(entries.length) : undefined;
  }
  if (previous.table && !sameContents(previous.table.choice, choice)) return undefined;
  const same = previous.rows.length === rows.length &&
    rows.every((row, i) => previous.rows[i].index === row.index && previous.rows[i].weight === row.weight);
  return same ? keep(previous.table?.length ?? rows.length) : undefined;
}

/** The tier with entries edited in place, where that is possible. */
function keepList(
  draft: Draft,
  previous: PreviousTier,
  rows: readonly AppliedEndpoint[],
  isLeft: boolean,
): AppliedTier | undefined {
  const wanted = new Map(rows.map((row) => [row.index, row]));
  const present = new Set(previous.rows.map((row) => row.index));
  // Doubles are what a killed agent leaves in the middle of a removal.
  if (present.size !== previous.rows.length) return undefined;
  const added = rows.filter((row) => !present.has(row.index));
  const removed = previous.rows.flatMap((row, position) => wanted.has(row.index) ? [] : [position]);
  const edit = editRows<PreviousRow>(previous.rows, removed, added);
  if (!editInPlace(draft, previous, edit, isLeft)) return undefined;
  const { slot, capacity } = previous;
  const after = withRows<PreviousRow>(previous.rows, edit).map((row) => wanted.get(row.index)!);
  return { slot, capacity, layout: "list", table: null, rows: after };
}

/**
 * Plans the words of a list that an edit of its rows changes, where it has the room and it is worth it: a removed
 * entry's place is taken by the last, a new one is appended, and the tier's word with the new count makes it so. Whatever word a reader
 * sees, it names an endpoint that is or was the tier's. Where connections leave the tier they may not meet anybody in it who was not
 * there before.
 *
 * @param isLeft as planTier()
 * @returns whether it is edited in place
 */
export function editInPlace(
  draft: Draft,
  { slot, capacity, rows }: Pick<PreviousTier, "slot" | "capacity" | "rows">,
  edit: RowsEdit<{ readonly index: number }>,
  isLeft: boolean,
): boolean {
  const { length, firstNew } = edit;
  if (length === 0 || length > capacity) return false;
  if (capacity > Math.max(smallRecord, roomLeft * capacityFor(length))) return false;
  if (isLeft && firstNew < Math.min(length, rows.length)) return false;
  const changed = [...edit.rows].filter(([position, row]) => row.index !== rows[position]?.index);
  if (changed.length > Math.max(alwaysInPlace, rows.length * shareInPlace)) return false;
  if (changed.length === 0) return true;
  draft.recordWrites.push({
    after: { slot, writes: changed.map(([position, row]) => [position, listEntry(row)]) },
    before: {
      slot,
      writes: changed.filter(([position]) => position < rows.length)
        .map(([position]) => [position, listEntry(rows[position])]),
    },
  });
  return true;
}
