/** How the endpoints of a tier are laid out in its record (bpf/types.h, struct record_entry). */

import { workload } from "../../../ffi/mod.ts";
import { type Choice, hashText } from "../../mesh/mod.ts";
import { buildAliasTable } from "../alias_table.ts";
import type { AppliedEndpoint, Layout } from "../applied.ts";
import { endpointKey } from "../desired.ts";

type Rows = readonly AppliedEndpoint[];
type Entries = workload.RecordEntry[];

/** The layout that a choice among these endpoints wants. One endpoint is a list of one, whatever the choice. */
export function layoutOf(rows: Rows, choice: Choice): Layout {
  if (rows.length <= 1) return "list";
  if (choice.kind === "ringHash" || choice.kind === "maglev") return "table";
  if (rows.every((row) => row.weight === rows[0].weight)) return "list";
  return choice.kind === "leastRequest" ? "alias with weights" : "alias";
}

/** The entries of a record, as the layout wants them. */
export function entriesOf(rows: Rows, choice: Choice): Entries {
  const layout = layoutOf(rows, choice);
  if (layout === "list") return rows.map(listEntry);
  if (choice.kind === "ringHash") return ringEntries(rows, choice.minimumSize, choice.maximumSize);
  if (choice.kind === "maglev") return maglevEntries(rows, choice.tableSize);
  return aliasEntries(rows, layout === "alias with weights");
}

export function listEntry({ index }: { readonly index: number }): workload.RecordEntry {
  return { threshold: 0, endpoint: index };
}

function aliasEntries(rows: Rows, withWeights: boolean): Entries {
  const { threshold, alias } = buildAliasTable(rows.map(({ weight }) => weight));
  const entries: Entries = [];
  rows.forEach(({ index }, i) => {
    entries.push({ threshold: threshold[i], endpoint: index });
    entries.push({ threshold: alias[i], endpoint: rows[alias[i]].index });
  });
  if (withWeights) {
    for (const { index, weight } of rows) entries.push({ threshold: weight, endpoint: index });
  }
  return entries;
}

/** With its key, which its places are made of. */
interface KeyedEndpoint extends AppliedEndpoint {
  readonly key: string;
}

/** Clients keep their endpoints when an agent is started again, and when another one puts the endpoints in another order. */
function inOrder(rows: Rows): readonly KeyedEndpoint[] {
  const keyed = rows.map((row) => ({ ...row, key: endpointKey(row) }));
  return keyed.sort((a, b) => a.key < b.key ? -1 : 1);
}

/**
 * Points on a ring, each endpoint's number of them by its weight, as Envoy places them: the least endpoint has a whole number of
 * points, and there are at least `minimumSize` of them if `maximumSize` allows.
 */
function ringEntries(rows: Rows, minimumSize: number, maximumSize: number): Entries {
  const total = rows.reduce((sum, { weight }) => sum + weight, 0);
  const least = rows.reduce((least, { weight }) => Math.min(least, weight), Infinity);
  const size = Math.min(Math.ceil(least / total * minimumSize) / (least / total), maximumSize);
  const entries: Entries = [];
  let weights = 0;
  for (const { index, key, weight } of inOrder(rows)) {
    weights += weight;
    const end = size * weights / total;
    for (let i = 0; entries.length < end; i++) {
      entries.push({ threshold: hashText(`${key}|${i}`) >>> 0, endpoint: index });
    }
  }
  return entries.sort((a, b) => a.threshold - b.threshold);
}

/**
 * A look-up table that changes little when endpoints come and go: each endpoint in turn takes the next free place of a permutation of
 * its own, and heavier ones have more turns.
 *
 * D. Eisenbud and others, "Maglev: a fast and reliable software network load balancer", NSDI 2016, section 3.4.
 *
 * @param size a prime number
 */
function maglevEntries(rows: Rows, size: number): Entries {
  const heaviest = rows.reduce((most, { weight }) => Math.max(most, weight), 0);
  const takers = inOrder(rows).map(({ index, key, weight }) => ({
    index,
    weight,
    // How much weight it must have gathered for its next turn.
    due: heaviest,
    place: (hashText(key) >>> 0) % size,
    step: (hashText(`${key}|`) >>> 0) % (size - 1) + 1,
  }));
  const table = new Uint32Array(size);
  let free = size;
  for (let round = 1; free > 0; round++) {
    for (const taker of takers) {
      if (round * taker.weight < taker.due) continue;
      taker.due += heaviest;
      while (table[taker.place] !== 0) taker.place = (taker.place + taker.step) % size;
      table[taker.place] = taker.index;
      if (--free === 0) break;
    }
  }
  return Array.from(table, (endpoint) => ({ threshold: 0, endpoint }));
}

/** What a service port's first word says of the choice. Whatever tier word it meets in the kernel, it is valid with it. */
export function headOf(choice: Choice): Pick<workload.ServicePort, "flags" | "choices"> {
  const { SERVICE_ROUND_ROBIN, SERVICE_LEAST_REQUEST, SERVICE_RING_HASH, SERVICE_MAGLEV } =
    workload.serviceFlag;
  switch (choice.kind) {
    case "random":
      return { flags: 0, choices: 0 };
    case "roundRobin":
      return { flags: SERVICE_ROUND_ROBIN, choices: 0 };
    case "leastRequest":
      return { flags: SERVICE_LEAST_REQUEST, choices: Math.min(choice.choices, workload.bound.MOST_CHOICES) };
    case "ringHash":
      return { flags: SERVICE_RING_HASH, choices: 0 };
    case "maglev":
      return { flags: SERVICE_MAGLEV, choices: 0 };
  }
}
