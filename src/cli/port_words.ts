/** How the ports of a service differ from what is usual, for people. */

import type { PortView } from "../observe/api.ts";

/** At random by weight is how most are chosen: it has no word. */
export function policyWords({ lbPolicy }: { readonly lbPolicy: PortView["lbPolicy"] | null }): string {
  return lbPolicy === null || lbPolicy === "RANDOM" ? "" : lbPolicy;
}

/** Such as `3 of 100`; nothing where there is no limit. */
export function limitWords({ connectionLimit }: Pick<PortView, "connectionLimit">): string {
  return connectionLimit ? `${connectionLimit.active} of ${connectionLimit.max}` : "";
}

/** The same with the cluster, such as `3 of 100 connections to cluster outbound|80||web`. */
export function limitSentence({ connectionLimit }: Pick<PortView, "connectionLimit">): string {
  return connectionLimit
    ? `${limitWords({ connectionLimit })} connections to cluster ${connectionLimit.cluster}`
    : "";
}

/** What the ports have a word for, each with its number where they differ: `80: 3 of 100, 81: 0 of 5`. */
export function wordsByPort(ports: readonly PortView[], words: (port: PortView) => string): string {
  const texts = ports.map(words);
  if (texts.every((text) => text === texts[0])) return texts[0] ?? "";
  return ports.flatMap(({ port }, i) => texts[i] === "" ? [] : [`${port}: ${texts[i]}`]).join(", ");
}
