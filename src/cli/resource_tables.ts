/** What a control plane said, for people: a table for each type. */

import type { ResourcesResponse } from "../observe/api.ts";
import type { Style } from "./style.ts";
import { type Cell, renderTable } from "./table.ts";

type Json = Readonly<Record<string, unknown>>;

const texts = (value: unknown) => Array.isArray(value) ? value.map(String).join(" ") : "";
const keys = (value: unknown) => Object.keys(value as Json ?? {}).join(" ");
const count = (value: unknown) => Array.isArray(value) ? value.length : 0;
const text = (value: unknown) => value === undefined || value === null ? "" : String(value);

/** What deserves a column of its own, by type. */
const columns: Readonly<Record<string, Readonly<Record<string, (value: Json) => Cell>>>> = {
  workloads: {
    ADDRESSES: ({ addresses }) => texts(addresses),
    NODE: ({ node }) => text(node),
    STATUS: ({ status }) => text(status),
    SERVICES: ({ services }) => keys(services),
  },
  services: {
    VIPS: ({ vips }) => texts(vips),
    PORTS: ({ ports }) =>
      (ports as Json[]).map(({ servicePort, targetPort }) => `${servicePort}→${targetPort}`).join(" "),
  },
  policies: {
    SCOPE: ({ scope }) => text(scope),
    ACTION: ({ action, dryRun }) => `${action}${dryRun ? " (dry run)" : ""}`,
  },
  clusters: {
    TYPE: ({ type }) => text(type),
    POLICY: ({ lbPolicy }) => text(lbPolicy),
  },
  endpoints: {
    ENDPOINTS: (localities) =>
      (localities as unknown as Json[]).reduce(
        (sum, locality) => sum + count(locality["endpoints[addr,health,weight,additional]"]),
        0,
      ),
  },
  listeners: {
    ADDRESS: ({ address }) => text(address),
    CHAINS: ({ filterChains, defaultFilterChain }) => count(filterChains) + (defaultFilterChain ? 1 : 0),
  },
  routes: {
    HOSTS: ({ virtualHosts }) => count(virtualHosts),
  },
};

/** One table a type, each under its name, and what was refused. */
export function resourceTables(answer: ResourcesResponse, style: Style): string {
  const tables = Object.entries(answer.meta).map(([name, meta]) => {
    const own = columns[name] ?? {};
    const values = answer[name];
    const named: [string, Json][] = Array.isArray(values)
      ? values.map((value) => [String(value.name), value])
      : Object.entries(values as Readonly<Record<string, Json>>);
    const rows = named.map(([resource, value]): Cell[] => [
      resource,
      ...Object.values(own).map((cell) => cell(value)),
      meta[resource]?.version,
      meta[resource]?.receivedAt,
    ]);
    const header = ["NAME", ...Object.keys(own), "VERSION", "RECEIVED"];
    return `${style("bold", `${name} (${rows.length})`)}\n${
      rows.length > 0 ? renderTable(header, rows, style) : ""
    }`;
  });
  const { rejected } = answer;
  const refused = rejected.length === 0 ? [] : [
    `${style("yellow", `refused (${rejected.length})`)}\n` + renderTable(
      ["TYPE", "NAME", "VERSION", "SINCE", "REASON"],
      rejected.map(({ typeUrl, name, version, at, reason }): Cell[] => [
        typeUrl.slice(typeUrl.lastIndexOf(".") + 1),
        name || "?",
        version,
        at,
        reason,
      ]),
      style,
    ),
  ];
  return [...tables, ...refused].join("\n");
}
