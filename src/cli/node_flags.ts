/** Where the node is, as flags: for `run`, and for `explain --mesh`. */

import type { NodeOptions } from "../locality/mod.ts";

const text = <const Name extends string>(name: Name, env: string, help: string) =>
  ({ kind: "string", name, valueName: "NAME", env, help, mayBeEmpty: true }) as const;

export const nodeFlags = [
  text("network", "WEFT_NETWORK", "this node's network: VIPs and workloads of others are not programmed"),
  text(
    "node",
    "WEFT_NODE",
    "this node's name in the mesh, for routing preferences; the host's where left out",
  ),
  text("cluster-id", "WEFT_CLUSTER_ID", "this node's cluster, for routing preferences"),
  text(
    "region",
    "WEFT_REGION",
    "where this node is; with none of region, zone and subzone: as its workloads say",
  ),
  text("zone", "WEFT_ZONE", "as --region"),
  text("subzone", "WEFT_SUBZONE", "as --region"),
] as const;

/** What the flags say. @param host the node's name where none is given */
export function nodeOptions(
  flags: Readonly<
    Record<"network" | "node" | "cluster-id" | "region" | "zone" | "subzone", string | undefined>
  >,
  host: string,
): NodeOptions {
  return {
    network: flags.network ?? "",
    node: flags.node ?? host,
    clusterId: flags["cluster-id"] ?? "",
    region: flags.region,
    zone: flags.zone,
    subzone: flags.subzone,
  };
}
