/** What tests of recorded streams of mode ads have in common. */

import { discoveryRequestType, discoveryResponseType } from "../../src/xds/proto/mod.ts";

const chainFields = [
  "match",
  "tcpCluster",
  "tcpWeightedClusters",
  "tcpHashPolicy",
  "routeName",
  "inlineRoute",
];
/** The fields that `weft resources` shows as the recorder did; the recorder shows more. */
const fields: Readonly<Record<string, readonly string[]>> = {
  clusters: ["name", "type", "lbPolicy", "maxConnections", "edsServiceName", "loadAssignment"],
  listeners: [
    "name",
    "address",
    "additionalAddresses",
    "useOriginalDst",
    "filterChains",
    "defaultFilterChain",
  ],
  filterChains: chainFields,
  defaultFilterChain: chainFields,
  inlineRoute: ["name", "virtualHosts"],
  routes: ["name", "virtualHosts"],
  virtualHosts: ["name", "domains", "catchAll"],
};

/** Those fields of a part of the state. @param key under which it stands */
export function comparable(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => fields[key]?.includes(name) ?? true)
      .map(([name, part]) => [name, comparable(part, name)]),
  );
}

/** Whether the recorded client refused a response; weft would not have. */
export function isRefusal(answer: Uint8Array | undefined): boolean {
  return answer !== undefined && discoveryRequestType.decode(answer).error_detail !== null;
}

/** A response with one resource more that makes no sense: all of it is to be refused. */
export function spoilt(bytes: Uint8Array): Uint8Array {
  const response = discoveryResponseType.decode(bytes);
  const broken = { type_url: response.type_url, value: Uint8Array.of(0xff) };
  return discoveryResponseType.encode({ ...response, resources: [...response.resources, broken] });
}
