/** Draws what the demo shows: pure functions from values to lines. */

import { acts } from "./acts.ts";
import { percent } from "./judge.ts";
import { backends, type BackendState, expectedShares, frontend } from "./mesh.ts";
import { addUp, type Counts, sum } from "./tally.ts";
import type { ActResult, DemoReport, View } from "./view.ts";

/** The styles that are used. */
export type PaintName = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** What lines are drawn on. */
export interface Page {
  /** Columns that a line may take; the frame needs `leastWidth`. */
  readonly width: number;
  /** Marks text where the reader wants it. */
  readonly paint: (name: PaintName, text: string) => string;
}

/** Columns of the frame beside the bars: names, endpoints, figures, and the gaps between them. */
const besideBars = 63;

/** The narrowest page for a frame. */
export const leastWidth = besideBars + 16;

/** Longer bars do not say more. */
const longestBar = 40;

/** The share at which a bar is full, 0..1; no act gives a backend more. */
const fullBar = 0.4;

/** Said before the curtain rises. */
export function drawIntroduction({ paint }: Page): string[] {
  const { addresses: { 4: vip4, 6: vip6 }, port } = frontend;
  return [
    `${paint("bold", "weft demo")}: a client and four backends in zones a and b, each in a namespace.`,
    `The client calls the VIP ${vip4} (and ${vip6}) port ${port}, TCP and UDP.`,
    "No host has that address: inside the client's connect() the kernel picks a",
    "backend, as the mesh file says, and no proxy sees a byte.",
  ];
}

/** The table of one moment, redrawn in place. No line is wider than the page. */
export function drawFrame(view: View, page: Page): string[] {
  const { act, number, recent, total, failed, agentPid } = view;
  const { paint, width } = page;
  const barWidth = Math.min(width - besideBars, longestBar);
  const all = callsOf(recent);
  const shares = expectedShares(act.mesh);
  const rows = backends.map(({ name, zone, addresses, port }) => {
    const share = (addUp(recent.map((kind) => kind.answered)).get(name) ?? 0) / Math.max(1, all);
    const says = describeState(act.mesh.get(name));
    const [tcp, udp] = perProtocol(total, (kind) => kind.answered.get(name) ?? 0);
    return row(
      name,
      `${addresses[4]}:${port}`,
      says.startsWith("capacity") ? says : paint("yellow", says),
      says.length,
      drawBar(share, shares.get(name) ?? 0, barWidth, (text) => paint(zone === "a" ? "cyan" : "green", text)),
      percent(share),
      tcp,
      udp,
    );
  });
  const unanswered = sum(addUp(recent.map((kind) => kind.unanswered))) / Math.max(1, all);
  const [tcp, udp] = perProtocol(total, (kind) => sum(kind.unanswered));
  const bar = drawBar(unanswered, 0, barWidth, (text) => paint("red", text));
  const agent = agentPid === undefined ? paint("yellow", "no agent runs") : `agent runs (pid ${agentPid})`;
  const legend = "│ mesh file says".padEnd(barWidth);
  const header = row("BACKEND", "ENDPOINT", "MESH FILE", 9, legend, "SHARE", "TCP", "UDP");
  return [
    "",
    paint("bold", fit(`${number}/${acts.length}  ${act.title}`, width)),
    fit(`     ${act.see}`, width),
    "",
    paint("dim", header.trimEnd()),
    ...rows,
    row(failed === 0 ? "refused" : "no answer", "", "", 0, bar, percent(unanswered), tcp, udp),
    "",
    `${all} calls in the last second · ${failedText(failed, page)} · ${agent}`,
  ];
}

/** The same where nothing can be redrawn: one line. */
export function drawMoment({ act, recent, failed }: View, page: Page): string {
  const all = Math.max(1, callsOf(recent));
  const answered = addUp(recent.map((kind) => kind.answered));
  const shares = backends.map(({ name }) => `${name} ${percent((answered.get(name) ?? 0) / all)}`);
  const unanswered = sum(addUp(recent.map((kind) => kind.unanswered)));
  const refused = expectedShares(act.mesh).size === 0 ? [`refused ${percent(unanswered / all)}`] : [];
  return `     ${[...shares, ...refused, failedText(failed, page)].join("  ")}`;
}

/** An act's beginning, where nothing can be redrawn. */
export function drawActTitle({ act, number }: View): string[] {
  return [`${number}/${acts.length}  ${act.title}`, `     ${act.see}`];
}

/** An act's end. */
export function drawActResult({ act, number, compared, problem }: ActResult, { paint }: Page): string[] {
  const title = `${number} ${act.title}`;
  if (problem !== undefined) return [`${paint("red", "✗")} ${title}`, `    ${paint("red", problem)}`];
  return [`${paint("green", "✓")} ${title}`, `    ${describeCalls(compared)}`];
}

/** Said at the end, when all has been removed. */
export function drawSummary({ results, answered, refused, failed }: DemoReport, { paint }: Page): string[] {
  const good = results.filter(({ problem }) => problem === undefined).length;
  const mark = good === acts.length ? paint("green", "✓") : paint("red", "✗");
  return [
    `${mark} ${good} of ${acts.length} acts went as the mesh file says; all is removed again.`,
    `  ${answered} calls answered, ${refused} refused with no backend usable, ${failed} failed`,
  ];
}

/** What the calls came to, such as `web-a1 25.1%  web-b1 74.9%  of 1200 calls`. */
function describeCalls(counts: Counts): string {
  const answered = addUp(counts.map((kind) => kind.answered));
  const calls = sum(answered);
  if (calls === 0) {
    const reasons = [...addUp(counts.map((kind) => kind.unanswered))];
    return reasons.map(([reason, count]) => `${count} calls refused at once with ${reason}`).join(", ");
  }
  const shares = backends.map(({ name }) => `${name} ${percent((answered.get(name) ?? 0) / calls)}`);
  return `${shares.join("  ")}  of ${calls} calls`;
}

function describeState(state: BackendState | undefined): string {
  if (state === undefined) return "not in it";
  return state.healthy ? `capacity ${state.capacity}` : "Unhealthy";
}

function failedText(failed: number, { paint }: Page): string {
  return failed === 0 ? "failed 0" : paint("red", `failed ${failed}`);
}

function callsOf(counts: Counts): number {
  return counts.reduce((total, kind) => total + sum(kind.answered) + sum(kind.unanswered), 0);
}

function perProtocol(counts: Counts, of: (kind: Counts[number]) => number): [tcp: string, udp: string] {
  const total = (protocol: string) =>
    counts.filter((kind) => kind.kind.startsWith(protocol)).reduce((total, kind) => total + of(kind), 0);
  return [String(total("TCP")), String(total("UDP"))];
}

/** One line of the table; styled cells come with the width that they show. */
function row(
  name: string,
  endpoint: string,
  says: string,
  saysWidth: number,
  bar: string,
  share: string,
  tcp: string,
  udp: string,
): string {
  const state = says + " ".repeat(11 - saysWidth);
  const figures = `${share.padStart(6)}  ${tcp.padStart(6)}  ${udp.padStart(6)}`;
  return `${name.padEnd(9)} ${endpoint.padEnd(15)}  ${state}  ${bar} ${figures}`;
}

/** Eighths of a cell, from 0. */
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar as long as the share, with a mark where the mesh file says that it must end. */
function drawBar(share: number, expected: number, width: number, paint: (text: string) => string): string {
  const filled = Math.round(Math.min(1, share / fullBar) * width * 8);
  const bar = ("█".repeat(filled >> 3) + eighths[filled % 8]).padEnd(width);
  if (expected === 0) return paint(bar);
  const mark = Math.min(width - 1, Math.round(expected / fullBar * width));
  return `${paint(bar.slice(0, mark))}│${paint(bar.slice(mark + 1))}`;
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
