/** The resources of one response, decoded in slices. */

import type { Pause } from "../../host/slices.ts";
import { createHash } from "node:crypto";
import { anyType, resourceType } from "../proto/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { nameInBroken } from "./name_in_broken.ts";
import type { ResourceType } from "./resource_types.ts";

/** A resource as it came. */
export interface Received<T> {
  readonly name: string;
  readonly value: T;
  /** Of its bytes: what comes again unchanged is not decoded again, and stays the same object. */
  readonly digest: string;
}

/** Why a resource cannot be accepted. */
export interface Refusal {
  /** "" where it has none that could be read. */
  readonly name: string;
  readonly reason: string;
}

/** Resources by name, and what is wrong with others. */
export interface ReadResources<T> {
  readonly received: ReadonlyMap<string, Received<T>>;
  readonly refusals: readonly Refusal[];
}

const wrapperUrl = "type.googleapis.com/envoy.service.discovery.v3.Resource";

/**
 * @param resources each resource's bytes, a google.protobuf.Any
 * @param held what is held, by digest
 * @param pause called after each resource
 */
export async function readResources<T extends { readonly name: string }>(
  type: ResourceType<T>,
  resources: readonly Uint8Array[],
  held: ReadonlyMap<string, T>,
  pause: Pause,
): Promise<ReadResources<T>> {
  const received = new Map<string, Received<T>>();
  const refusals: Refusal[] = [];
  for (const bytes of resources) {
    const digest = createHash("sha256").update(bytes).digest("base64");
    const known = held.get(digest);
    const read = known === undefined ? readResource(type, bytes) : { value: known };
    if ("reason" in read) refusals.push(read);
    else if (received.has(read.value.name)) {
      refusals.push({ name: read.value.name, reason: "it is in the response more than once" });
    } else received.set(read.value.name, { name: read.value.name, value: read.value, digest });
    await pause();
  }
  return { received, refusals };
}

function readResource<T>(type: ResourceType<T>, bytes: Uint8Array): { readonly value: T } | Refusal {
  let any;
  try {
    any = anyType.decode(bytes);
    // It may come in a wrapper, which gives it a name once more.
    if (any.type_url === wrapperUrl) any = resourceType.decode(any.value).resource;
  } catch (error) {
    return { name: "", reason: `it cannot be read: ${messageOf(error)}` };
  }
  if (any?.type_url !== type.typeUrl) {
    return { name: "", reason: `it is a ${JSON.stringify(any?.type_url ?? "")}, expected a ${type.typeUrl}` };
  }
  try {
    return { value: type.decode(any.value) };
  } catch (error) {
    const name = nameInBroken(any.value);
    if (error instanceof ResourceError) return { name, reason: error.message };
    return { name, reason: `its contents cannot be read: ${messageOf(error)}` };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
