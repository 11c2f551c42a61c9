/** Who asks: the node as the control plane is told of it. */

import type { Node, Value } from "./proto/mod.ts";

/** Text by name; nested where a name's value is again a record. */
export interface Metadata {
  readonly [name: string]: string | boolean | Metadata;
}

export interface NodeIdentity {
  readonly id: string;
  /** @default "" */
  readonly cluster?: string;
  readonly metadata: Metadata;
  readonly locality: { readonly region: string; readonly zone: string; readonly subzone: string } | undefined;
  /** weft's version. */
  readonly version: string;
}

/** The message of a node. */
export function nodeMessage(identity: NodeIdentity): Partial<Node> {
  const { id, cluster = "", metadata, locality, version } = identity;
  return {
    id,
    cluster,
    metadata: structOf(metadata),
    locality: locality ? { region: locality.region, zone: locality.zone, sub_zone: locality.subzone } : null,
    user_agent_name: "weft",
    user_agent_version: version,
  };
}

function structOf(metadata: Metadata): { fields: Record<string, Value> } {
  return {
    fields: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, valueOf(value)])),
  };
}

function valueOf(value: Metadata[string]): Value {
  if (typeof value === "string") return { string_value: value };
  if (typeof value === "boolean") return { bool_value: value };
  return { struct_value: structOf(value) };
}
