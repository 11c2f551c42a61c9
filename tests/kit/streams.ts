/** Recorded control-plane streams (`fixtures/streams` of the shared directory): what a control plane sent, and the state that it left. */

import { gunzipSync } from "node:zlib";
import { sharedDirectory } from "./shared.ts";

/** One thing that happened on a client's stream. */
export type RecordedEvent =
  | {
    readonly kind: "open";
    /** What the client had kept of an earlier stream: everything with versions, everything without, or nothing. */
    readonly keep: "versions" | "names" | "nothing";
  }
  /** A request of the client's. */
  | { readonly kind: "out"; readonly typeUrl: string; readonly bytes: Uint8Array }
  /** A response of the server's. */
  | { readonly kind: "in"; readonly typeUrl: string; readonly bytes: Uint8Array }
  | { readonly kind: "end" };

/** What happened in one step, and what the client had at its end. */
export interface RecordedStep {
  readonly name: string;
  readonly events: readonly RecordedEvent[];
  /** The client's state, as `expected.json` has it. */
  readonly expected: Readonly<Record<string, unknown>>;
}

/** The streams of one client, one after the other. */
export interface Recording {
  readonly scenario: string;
  readonly client: string;
  readonly steps: readonly RecordedStep[];
}

/**
 * The folder with recorded streams, `undefined` (after a loud line) where there is none.
 *
 * @param what is skipped without it
 */
export function streamsDirectory(what: string): string | undefined {
  const shared = sharedDirectory(what);
  return shared && `${shared}/fixtures/streams`;
}

/** The scenarios whose names match. */
export function scenariosIn(directory: string, pattern: RegExp): string[] {
  return [...Deno.readDirSync(directory)].filter(({ name, isDirectory }) => isDirectory && pattern.test(name))
    .map(({ name }) => name).sort();
}

/** Reads the streams of all clients of one scenario. */
export function readRecordings(directory: string, scenario: string): Recording[] {
  const folder = `${directory}/${scenario}`;
  const expected = readExpected(folder);
  const files = new Map<string, { index: number; path: string }[]>();
  for (const { name } of Deno.readDirSync(folder)) {
    const [, client, index] = /^(.+)-(\d+)\.jsonl\.gz$/.exec(name) ?? [];
    if (client === undefined) continue;
    files.set(client, [...files.get(client) ?? [], { index: Number(index), path: `${folder}/${name}` }]);
  }
  return [...files].map(([client, streams]) => {
    const events: StepEvent[] = [];
    for (const { path } of streams.sort((a, b) => a.index - b.index)) {
      events.push(...readEvents(path, events.at(-1)?.step ?? expected[0].step));
    }
    const steps = expected.map(({ step, clients }) => ({
      name: step,
      events: events.filter((event) => event.step === step).map(({ event }) => event),
      expected: clients[client],
    }));
    return { scenario, client, steps };
  });
}

interface ExpectedStep {
  readonly step: string;
  readonly clients: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

function readExpected(folder: string): ExpectedStep[] {
  const plain = `${folder}/expected.json`;
  const text = exists(plain)
    ? Deno.readTextFileSync(plain)
    : gunzipSync(Deno.readFileSync(`${plain}.gz`)).toString();
  return JSON.parse(text);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** An event, and the step in which it happened. */
interface StepEvent {
  readonly step: string;
  readonly event: RecordedEvent;
}

/** The events of one stream. @param began the step in which it began, which it does not name itself */
function readEvents(path: string, began: string): StepEvent[] {
  const events: StepEvent[] = [];
  let step = began;
  for (const line of gunzipSync(Deno.readFileSync(path)).toString().split("\n")) {
    if (line === "") continue;
    const { dir, text = "", type_url: typeUrl, b64 } = JSON.parse(line);
    if (dir !== "note") {
      const bytes = new Uint8Array(Uint8Array.fromBase64(b64));
      events.push({ step, event: { kind: dir, typeUrl, bytes } });
    } else if (text === "initial state") step = "initial";
    else if (text.startsWith("step ")) step = text.slice(5, text.indexOf(":"));
    else if (text.startsWith("stream opened")) {
      events.push({ step, event: { kind: "open", keep: /keep=(\w+)/.exec(text)![1] as "versions" } });
    } else if (text.startsWith("stream ended")) events.push({ step, event: { kind: "end" } });
  }
  return events;
}
